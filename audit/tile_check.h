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
#include "audit/scan.h"

namespace portcullis::audit {

class TileCheck {
 public:
  explicit TileCheck(std::filesystem::path folder);
  void Take(const ScannedRecord& record);
  // The first full tile or bundle that is missing or wrong.
  const std::optional<std::string>& damaged() const { return damaged_; }

 private:
  // `root` when this hash completes the tile.
  void Push(unsigned level, const Hash& hash, const std::optional<Hash>& root);
  void Compare(const std::filesystem::path& name, std::string_view expected);

  const std::filesystem::path folder_;
  const bool present_;
  struct Level {
    uint64_t full = 0;  // complete tiles
    std::string edge;   // the hashes of the unfinished one
  };
  std::vector<Level> levels_;
  std::string bundle_;  // the unfinished one
  uint64_t leaves_ = 0;
  std::optional<std::string> damaged_;
};

}  // namespace portcullis::audit
