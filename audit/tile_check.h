// Compares the cached tiles and entry bundles of a log with its leaves, as a verifier reads them one after
// another. What does not fit is a matter of warning: the tiles prove nothing, they are rebuilt. Bounded
// memory: one unfinished tile a level. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"

namespace portcullis::audit {

class TileCheck {
 public:
  explicit TileCheck(std::filesystem::path folder);
  void Take(std::string_view leaf, const Hash& leaf_hash);
  // The first full tile or bundle that is missing or wrong.
  const std::optional<std::string>& damaged() const { return damaged_; }

 private:
  void Push(unsigned level, const Hash& hash);
  void Compare(const std::filesystem::path& name, std::string_view expected);

  const std::filesystem::path folder_;
  const bool present_;
  std::vector<std::vector<Hash>> levels_;
  std::vector<uint64_t> full_;
  std::vector<std::string> entries_;
  uint64_t bundles_ = 0;
  std::optional<std::string> damaged_;
};

}  // namespace portcullis::audit
