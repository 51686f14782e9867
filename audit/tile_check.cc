#include "audit/tile_check.h"

#include <system_error>

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

}  // namespace

TileCheck::TileCheck(std::filesystem::path folder)
    : folder_(std::move(folder)), present_(IsFolder(folder_)) {}

void TileCheck::Take(std::string_view leaf, const Hash& leaf_hash) {
  if (!present_ || damaged_) return;
  Push(0, leaf_hash);
  entries_.emplace_back(leaf);
  if (entries_.size() < TileStore::kWidth) return;
  Compare(std::filesystem::path("entries") / TileStore::IndexPath(bundles_++), TileStore::EntryBundle(entries_));
  entries_.clear();
}

void TileCheck::Push(unsigned level, const Hash& hash) {
  if (level == levels_.size()) {
    levels_.emplace_back();
    full_.push_back(0);
  }
  levels_[level].push_back(hash);
  if (levels_[level].size() < TileStore::kWidth) return;
  std::string bytes;
  for (const Hash& one : levels_[level]) bytes.append(AsText(one));
  Compare(TileStore::TilePath(level, full_[level]++), bytes);
  std::vector<Hash> row = std::move(levels_[level]);
  levels_[level].clear();
  while (row.size() > 1) {
    for (size_t i = 0; i < row.size() / 2; ++i) row[i] = NodeHash(row[2 * i], row[2 * i + 1]);
    row.resize(row.size() / 2);
  }
  Push(level + 1, row.front());
}

void TileCheck::Compare(const std::filesystem::path& name, std::string_view expected) {
  const auto bytes = ReadFile(folder_ / name, kMaxFile);
  if ((!bytes || bytes.value() != expected) && !damaged_) damaged_ = name.string();
}

}  // namespace portcullis::audit
