// Every key that may open the gate and every certificate name, in memory: the hot path of
// identification never touches SQLite. Immutable but for the day of last use, so it is shared by
// all threads; replaced as a whole by the store when a key, a principal or a tenant changes.
// Keys are found by a keyed hash of the whole token; no accessor gives a hash back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gateway/state/records.h"

namespace portcullis::gateway {

// What an Identity is made of; shared with the requests that hold it.
struct Profile {
  Principal principal;
  Tenant tenant;
};

struct KeyEntry {
  KeyEntry(ApiKey k, std::shared_ptr<const Profile> p)
      : key(std::move(k)),
        profile(std::move(p)),
        last_used_day(key.last_used_day),
        saved_day(key.last_used_day) {}

  // Called on each use; writes memory once a day.
  void MarkUsed(int32_t day) const {
    if (last_used_day.load(std::memory_order_relaxed) < day) {
      last_used_day.store(day, std::memory_order_relaxed);
    }
  }

  const ApiKey key;
  const std::shared_ptr<const Profile> profile;
  mutable std::atomic<int32_t> last_used_day;
  mutable std::atomic<int32_t> saved_day;  // as it is in the store
};

class KeyTable {
 public:
  KeyTable() = default;
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  // Null when no live key has this hash. Keys past their date are still here: the caller, who has
  // the clock, compares `expires`.
  const KeyEntry* FindKey(const KeyHash& hash) const;

  // Null when no enabled principal carries this SAN URI.
  std::shared_ptr<const Profile> FindCertificate(std::string_view uri) const;

  size_t size() const { return keys_.size(); }

  // Calls visit(const KeyEntry&) for each key.
  template <class Visit>
  void ForEachKey(Visit visit) const {
    for (const auto& [hash, entry] : keys_) visit(*entry);
  }

  // For the store, before the table is published.
  void AddProfile(std::shared_ptr<const Profile> profile);
  void AddKey(const KeyHash& hash, ApiKey key, std::shared_ptr<const Profile> profile);

 private:
  // The hash is keyed with a secret, so its first bytes are as good as a random number.
  struct FirstBytes {
    size_t operator()(const KeyHash& hash) const;
  };

  std::unordered_map<KeyHash, std::unique_ptr<KeyEntry>, FirstBytes> keys_;
  std::unordered_map<std::string, std::shared_ptr<const Profile>> certificates_;
};

}  // namespace portcullis::gateway
