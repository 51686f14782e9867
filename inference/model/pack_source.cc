#include "inference/model/pack_source.h"

#include <openssl/sha.h>
#include <sys/stat.h>

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

PackSource PackSourceOf(const Weights& weights, const std::string& sha256) {
  std::string lines;
  for (const auto& file : weights.files()) {
    struct stat status {};
    // A file that cannot be examined gets a line that no other has.
    stat(file.c_str(), &status);
    lines += file.filename().string() + ' ' + std::to_string(status.st_size) + ' ' +
             std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) +
             '\n';
  }
  PackSource source;
  source.identity.files = Sha256(lines);
  if (!sha256.empty()) source.identity.content = Sha256(sha256);
  source.files = weights.mappings();
  return source;
}

std::filesystem::path PackCachePath(const std::filesystem::path& folder, const Weights& weights) {
  std::error_code ignored;
  auto path = std::filesystem::weakly_canonical(weights.path(), ignored);
  if (path.empty()) path = weights.path();
  const Digest digest = Sha256(path.string());
  std::string name = (path.has_filename() ? path : path.parent_path()).filename().string() + '-';
  for (size_t i = 0; i < 8; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(digest[i]));
    name += hex;
  }
  return folder / (name + ".pack");
}

}  // namespace portcullis::inference
