// The tree on disk as C2SP tlog-tiles: tile/<level>/<index> holds 256 hashes of that level (one level of
// tiles is eight of the tree), tile/entries/<index> the 256 leaves below; what is not full yet lies in
// .p/<width> for every signed size. Memory holds only the unfinished tile of each level. All of it is a
// cache: written without fsync, checked against the signer's memory at start and rebuilt from the
// segments where it does not fit. Owned by the writer's thread. TILES in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/merkle.h"

namespace portcullis::audit {

class TileStore {
 public:
  static constexpr size_t kWidth = kTileWidth;

  explicit TileStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // The store of a tree of which only this is known, its right edge read from the partial tiles.
  // kTampered or kNotFound when they do not fit: rebuild by appending every leaf to an empty store.
  static Result<TileStore> Restore(std::filesystem::path folder, const CompactRange& tree);

  // A failure to write a full tile is returned, but the store stays usable; Node() reports the gap.
  Result<void> Append(std::string_view leaf, const Hash& leaf_hash);
  // Writes the partial tiles and the partial entry bundle of the present size.
  Result<void> WritePartials();
  // A NodeSource: the root of the perfect subtree (level, index), which must be complete.
  Result<Hash> Node(unsigned level, uint64_t index) const;
  // One leaf, from the entry bundles.
  Result<std::string> Entry(uint64_t index) const;
  uint64_t size() const { return size_; }

  // "x001/x234/067", and with the level or "entries" in front.
  static std::filesystem::path IndexPath(uint64_t index);
  static std::filesystem::path TilePath(unsigned tile_level, uint64_t index);
  // "067.p/112"
  static std::filesystem::path PartialPath(const std::filesystem::path& tile, size_t width);
  static std::string EntryBundle(const std::vector<std::string>& leaves);
  static Result<std::vector<std::string>> ParseEntryBundle(std::string_view bytes);

 private:
  Result<void> Push(unsigned tile_level, const Hash& hash);
  Result<void> WriteFull(const std::filesystem::path& name, std::string_view bytes);
  Result<void> WritePartial(const std::filesystem::path& name, size_t width, std::string_view bytes);

  struct Level {
    uint64_t full = 0;         // complete tiles
    std::vector<Hash> edge;    // the unfinished one
  };
  std::filesystem::path folder_;
  std::vector<Level> levels_;
  std::vector<std::string> entries_;  // of the unfinished bundle
  uint64_t size_ = 0;
};

// Reads the tiles of a finished tree of a known size from the folder; trusts nothing in them, so what
// comes out is to be checked against a signed root. Thread-compatible.
class TileReader {
 public:
  TileReader(std::filesystem::path folder, uint64_t size) : folder_(std::move(folder)), size_(size) {}
  Result<Hash> Node(unsigned level, uint64_t index) const;

 private:
  const std::filesystem::path folder_;
  const uint64_t size_;
};

}  // namespace portcullis::audit
