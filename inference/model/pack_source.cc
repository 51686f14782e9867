#include "inference/model/pack_source.h"

#include <openssl/sha.h>

#include <cstdio>
#include <cstdlib>

namespace portcullis::inference {
namespace {

Digest Sha256(const std::string& text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace

Digest ContentDigest(const std::string& sha256) {
  return sha256.empty() ? Digest{} : Sha256(sha256);
}

PackSource PackSourceOf(const Weights& weights, const std::string& sha256) {
  const auto text = [](const timespec& time) {
    return std::to_string(time.tv_sec) + '.' + std::to_string(time.tv_nsec);
  };
  std::string lines;
  PackSource source;
  for (const auto* file : weights.files()) {
    const struct stat& status = file->status();
    lines += file->path().filename().string() + ' ' + std::to_string(status.st_dev) + ' ' +
             std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' +
             text(status.st_mtim) + ' ' + text(status.st_ctim) + '\n';
    source.files.push_back(file->bytes());
  }
  source.identity.files = Sha256(lines);
  source.identity.content = ContentDigest(sha256);
  return source;
}

std::filesystem::path FolderOf(const Weights& weights) {
  std::error_code ignored;
  auto path = std::filesystem::weakly_canonical(weights.path(), ignored);
  if (path.empty()) path = std::filesystem::absolute(weights.path(), ignored);
  return weights.gguf() == nullptr ? path : path.parent_path();
}

std::filesystem::path PackCachePath(const std::filesystem::path& folder, const Weights& weights) {
  std::error_code ignored;
  auto path = std::filesystem::weakly_canonical(weights.path(), ignored);
  if (path.empty()) path = weights.path();
  std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
  if (!std::filesystem::equivalent(folder, FolderOf(weights), ignored)) {
    const Digest digest = Sha256(path.string());
    name += '-';
    for (size_t i = 0; i < 8; ++i) {
      char hex[3];
      std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(digest[i]));
      name += hex;
    }
  }
  return folder / (name + ".pack");
}

}  // namespace portcullis::inference
