// The tree's nodes on disk, as C2SP tlog-tiles: tile/<level>/<index> holds 256 hashes of that level
// (one level of tiles is eight of the tree). Memory holds only the unfinished tile of each level. Full
// tiles are a cache: they are written without fsync and rebuilt from the segments at start. Owned by
// the writer's thread. TILES in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "audit/error.h"
#include "audit/merkle.h"

namespace portcullis::audit {

class TileStore {
 public:
  static constexpr size_t kWidth = 256;

  explicit TileStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // A failure to write a full tile is returned, but the store stays usable; Node() reports the gap.
  Result<void> Append(const Hash& leaf_hash);
  // A NodeSource: the root of the perfect subtree (level, index), which must be complete.
  Result<Hash> Node(unsigned level, uint64_t index) const;
  uint64_t size() const { return size_; }

  static std::filesystem::path TilePath(unsigned tile_level, uint64_t index);

 private:
  Result<void> Push(unsigned tile_level, const Hash& hash);

  struct Level {
    uint64_t full = 0;         // complete tiles
    std::vector<Hash> edge;    // the unfinished one
  };
  std::filesystem::path folder_;
  std::vector<Level> levels_;
  uint64_t size_ = 0;
};

}  // namespace portcullis::audit
