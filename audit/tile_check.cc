#include "audit/tile_check.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/tiles.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxFile = 1 << 20;  // a bundle of our leaves is under 100 KiB

bool IsFolder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

Hash RootOf(std::string_view tile) {
  CompactRange range;
  Hash hash;
  for (size_t at = 0; at < tile.size(); at += hash.size()) {
    std::copy_n(tile.begin() + static_cast<std::ptrdiff_t>(at), hash.size(), hash.begin());
    range.Append(hash);
  }
  return range.Root();
}

}  // namespace

TileCheck::TileCheck(std::filesystem::path folder)
    : folder_(std::move(folder)), present_(IsFolder(folder_)) {}

void TileCheck::Take(const ScannedRecord& record) {
  if (!present_ || damaged_) return;
  Push(0, record.leaf_hash, record.tile_root);
  ByteWriter(bundle_).PutSized<uint16_t>(record.leaf_bytes);
  if (++leaves_ % kTileWidth != 0) return;
  Compare(std::filesystem::path("entries") / TileStore::IndexPath(leaves_ / kTileWidth - 1), bundle_);
  bundle_.clear();
}

void TileCheck::Push(unsigned level, const Hash& hash, const std::optional<Hash>& root) {
  if (level == levels_.size()) levels_.emplace_back();
  levels_[level].edge.append(AsText(hash));
  if (levels_[level].edge.size() < kTileWidth * sizeof(Hash)) return;
  const std::string bytes = std::exchange(levels_[level].edge, {});
  Compare(TileStore::TilePath(level, levels_[level].full++), bytes);
  Push(level + 1, root ? *root : RootOf(bytes), std::nullopt);
}

void TileCheck::Compare(const std::filesystem::path& name, std::string_view expected) {
  const auto bytes = ReadFile(folder_ / name, kMaxFile);
  if ((!bytes || bytes.value() != expected) && !damaged_) damaged_ = name.string();
}

}  // namespace portcullis::audit
