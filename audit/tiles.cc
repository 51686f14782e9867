#include "audit/tiles.h"

#include <cstring>
#include <string>

#include "audit/bytes.h"
#include "audit/file.h"

namespace portcullis::audit {
namespace {

constexpr unsigned kLevelsPerTile = 8;
constexpr size_t kTileBytes = TileStore::kWidth * sizeof(Hash);

// The root of a power of two of hashes.
Hash Fold(std::vector<Hash> hashes) {
  while (hashes.size() > 1) {
    for (size_t i = 0; i < hashes.size() / 2; ++i) {
      hashes[i] = NodeHash(hashes[2 * i], hashes[2 * i + 1]);
    }
    hashes.resize(hashes.size() / 2);
  }
  return hashes.front();
}

}  // namespace

std::filesystem::path TileStore::TilePath(unsigned tile_level, uint64_t index) {
  const auto group = [](uint64_t value) {
    std::string digits = std::to_string(value % 1000);
    return std::string(3 - digits.size(), '0') + digits;
  };
  std::filesystem::path name = group(index);
  for (index /= 1000; index > 0; index /= 1000) name = std::filesystem::path("x" + group(index)) / name;
  return std::filesystem::path(std::to_string(tile_level)) / name;
}

Result<void> TileStore::Append(const Hash& leaf_hash) {
  ++size_;
  return Push(0, leaf_hash);
}

Result<void> TileStore::Push(unsigned tile_level, const Hash& hash) {
  if (tile_level == levels_.size()) levels_.emplace_back();
  levels_[tile_level].edge.push_back(hash);
  if (levels_[tile_level].edge.size() < kWidth) return Ok();
  const std::vector<Hash> tile = std::move(levels_[tile_level].edge);
  levels_[tile_level].edge.clear();
  const std::filesystem::path path = folder_ / TilePath(tile_level, levels_[tile_level].full++);
  // The parent is appended even where the tile cannot be written: the edge in memory stays right.
  Result<void> parent = Push(tile_level + 1, Fold(tile));
  std::string bytes;
  bytes.reserve(kTileBytes);
  for (const Hash& h : tile) bytes.append(AsText(h));
  const auto present = ReadFile(path, kTileBytes);
  if (present && present.value() == bytes) return parent;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return ErrnoError("cannot create folder", path.parent_path(), error.value());
  BOOST_OUTCOME_TRY(ReplaceFile(path, bytes, false));
  return parent;
}

Result<Hash> TileStore::Node(unsigned level, uint64_t index) const {
  const unsigned tile_level = level / kLevelsPerTile;
  const unsigned inner = level % kLevelsPerTile;
  const uint64_t first = index << inner;
  const size_t count = size_t{1} << inner;
  const uint64_t tile = first / kWidth;
  const size_t offset = static_cast<size_t>(first % kWidth);
  const auto missing = [&] {
    return Error{Code::kNotFound, "tile " + TilePath(tile_level, tile).string() +
                                      " is missing or damaged; it is rebuilt when auditd starts"};
  };
  if (tile_level >= levels_.size() || tile > levels_[tile_level].full) return missing();
  const Level& row = levels_[tile_level];
  std::vector<Hash> hashes(count);
  if (tile == row.full) {
    if (offset + count > row.edge.size()) return missing();
    std::copy_n(row.edge.begin() + static_cast<std::ptrdiff_t>(offset), count, hashes.begin());
  } else {
    const auto bytes = ReadFile(folder_ / TilePath(tile_level, tile), kTileBytes);
    if (!bytes || bytes.value().size() != kTileBytes) return missing();
    std::memcpy(hashes.data(), bytes.value().data() + offset * sizeof(Hash), count * sizeof(Hash));
  }
  return Fold(std::move(hashes));
}

}  // namespace portcullis::audit
