#include "gateway/state/key_table.h"

#include <sodium.h>

#include <cstring>

namespace portcullis::gateway {

size_t KeyTable::FirstBytes::operator()(const KeyHash& hash) const {
  size_t value;
  std::memcpy(&value, hash.data(), sizeof value);
  return value;
}

const KeyEntry* KeyTable::FindKey(const KeyHash& hash) const {
  if (keys_.empty()) return nullptr;
  const KeyEntry* found = nullptr;
  const size_t bucket = keys_.bucket(hash);
  for (auto it = keys_.begin(bucket); it != keys_.end(bucket); ++it) {
    if (sodium_memcmp(it->first.data(), hash.data(), hash.size()) == 0) found = it->second.get();
  }
  return found;
}

std::shared_ptr<const Profile> KeyTable::FindCertificate(std::string_view uri) const {
  const auto it = certificates_.find(std::string(uri));
  return it == certificates_.end() ? nullptr : it->second;
}

void KeyTable::AddProfile(std::shared_ptr<const Profile> profile) {
  const std::string& uri = profile->principal.certificate_uri;
  if (!uri.empty()) certificates_.emplace(uri, std::move(profile));
}

void KeyTable::AddKey(const KeyHash& hash, ApiKey key, std::shared_ptr<const Profile> profile) {
  keys_.emplace(hash, std::make_unique<KeyEntry>(std::move(key), std::move(profile)));
}

}  // namespace portcullis::gateway
