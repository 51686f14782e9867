#include "audit/tiles.h"

#include <bit>
#include <cstring>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/record.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr unsigned kLevelsPerTile = 8;
constexpr size_t kTileBytes = TileStore::kWidth * sizeof(Hash);
constexpr size_t kMaxBundle = TileStore::kWidth * (2 + 65535);

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

std::string Bytes(const std::vector<Hash>& hashes) {
  std::string bytes;
  bytes.reserve(hashes.size() * sizeof(Hash));
  for (const Hash& hash : hashes) bytes.append(AsText(hash));
  return bytes;
}

std::vector<Hash> Hashes(std::string_view bytes) {
  std::vector<Hash> hashes(bytes.size() / sizeof(Hash));
  if (!hashes.empty()) std::memcpy(hashes.data(), bytes.data(), hashes.size() * sizeof(Hash));
  return hashes;
}

// The roots of the perfect subtrees of `edge`, largest first: what a compact range holds of this level.
std::vector<Hash> Decompose(const std::vector<Hash>& edge) {
  std::vector<Hash> roots;
  size_t at = 0;
  for (size_t rest = edge.size(); rest > 0;) {
    const size_t width = std::bit_floor(rest);
    const auto begin = edge.begin() + static_cast<std::ptrdiff_t>(at);
    roots.push_back(Fold({begin, begin + static_cast<std::ptrdiff_t>(width)}));
    at += width;
    rest -= width;
  }
  return roots;
}

}  // namespace

std::filesystem::path TileStore::IndexPath(uint64_t index) {
  const auto group = [](uint64_t value) {
    std::string digits = std::to_string(value % 1000);
    return std::string(3 - digits.size(), '0') + digits;
  };
  std::filesystem::path name = group(index);
  for (index /= 1000; index > 0; index /= 1000) name = std::filesystem::path("x" + group(index)) / name;
  return name;
}

std::filesystem::path TileStore::TilePath(unsigned tile_level, uint64_t index) {
  return std::filesystem::path(std::to_string(tile_level)) / IndexPath(index);
}

std::filesystem::path TileStore::PartialPath(const std::filesystem::path& tile, size_t width) {
  std::filesystem::path name = tile;
  name += ".p";
  return name / std::to_string(width);
}

std::string TileStore::EntryBundle(const std::vector<std::string>& leaves) {
  std::string bytes;
  ByteWriter out(bytes);
  for (const std::string& leaf : leaves) out.PutSized<uint16_t>(leaf);
  return bytes;
}

Result<std::vector<std::string>> TileStore::ParseEntryBundle(std::string_view bytes) {
  ByteReader in(bytes);
  std::vector<std::string> leaves;
  while (in.left() > 0 && !in.failed() && leaves.size() < kWidth) {
    leaves.emplace_back(in.GetSized<uint16_t>(65535));
  }
  if (!in.Finished()) return Error{Code::kTampered, "entry bundle: malformed"};
  return leaves;
}

Result<TileStore> TileStore::Restore(std::filesystem::path folder, const CompactRange& tree) {
  TileStore store(std::move(folder));
  store.size_ = tree.size();
  const auto bad = [](unsigned level) {
    return Error{Code::kTampered, "the partial tile of level " + std::to_string(level) +
                                      " does not fit the signer's memory"};
  };
  std::vector<Hash> nodes;
  for (unsigned level = 0; level * kLevelsPerTile < 64 && (tree.size() >> (level * kLevelsPerTile)) > 0;
       ++level) {
    const uint64_t count = tree.size() >> (level * kLevelsPerTile);
    Level& row = store.levels_.emplace_back();
    row.full = count / kWidth;
    const size_t width = static_cast<size_t>(count % kWidth);
    if (width == 0) continue;
    BOOST_OUTCOME_TRY(const std::string bytes,
                      ReadFile(store.folder_ / PartialPath(TilePath(level, row.full), width), kTileBytes));
    row.edge = Hashes(bytes);
    if (row.edge.size() != width || bytes.size() != width * sizeof(Hash)) return bad(level);
    const std::vector<Hash> roots = Decompose(row.edge);
    nodes.insert(nodes.begin(), roots.begin(), roots.end());
  }
  if (nodes != tree.nodes()) return bad(0);
  if (const size_t width = static_cast<size_t>(tree.size() % kWidth); width > 0) {
    const auto path = std::filesystem::path("entries") / IndexPath(tree.size() / kWidth);
    BOOST_OUTCOME_TRY(const std::string bytes, ReadFile(store.folder_ / PartialPath(path, width), kMaxBundle));
    BOOST_OUTCOME_TRY(store.entries_, ParseEntryBundle(bytes));
    if (store.entries_.size() != width) return Error{Code::kTampered, "the partial entry bundle is damaged"};
    for (size_t i = 0; i < width; ++i) {
      if (LeafHash(store.entries_[i]) != store.levels_[0].edge[i]) {
        return Error{Code::kTampered, "the partial entry bundle is damaged"};
      }
    }
  }
  return store;
}

Result<void> TileStore::Append(std::string_view leaf, const Hash& leaf_hash) {
  entries_.emplace_back(leaf);
  Result<void> bundled = Ok();
  if (entries_.size() == kWidth) {
    bundled = WriteFull(std::filesystem::path("entries") / IndexPath(size_ / kWidth), EntryBundle(entries_));
    entries_.clear();
  }
  ++size_;
  Result<void> pushed = Push(0, leaf_hash);
  return pushed ? bundled : pushed;
}

// The partial tiles below a full one are of no use any more and go.
Result<void> TileStore::WriteFull(const std::filesystem::path& name, std::string_view bytes) {
  const std::filesystem::path path = folder_ / name;
  std::filesystem::path partial = path;
  partial += ".p";
  RemoveFolder(partial);
  const auto present = ReadFile(path, kMaxBundle);
  if (present && present.value() == bytes) return Ok();
  BOOST_OUTCOME_TRY(MakeFolders(path.parent_path()));
  return ReplaceFile(path, bytes, false);
}

Result<void> TileStore::Push(unsigned tile_level, const Hash& hash) {
  if (tile_level == levels_.size()) levels_.emplace_back();
  levels_[tile_level].edge.push_back(hash);
  if (levels_[tile_level].edge.size() < kWidth) return Ok();
  const std::vector<Hash> tile = std::move(levels_[tile_level].edge);
  levels_[tile_level].edge.clear();
  const std::filesystem::path name = TilePath(tile_level, levels_[tile_level].full++);
  // The parent is appended even where the tile cannot be written: the edge in memory stays right.
  Result<void> parent = Push(tile_level + 1, Fold(tile));
  BOOST_OUTCOME_TRY(WriteFull(name, Bytes(tile)));
  return parent;
}

Result<void> TileStore::WritePartial(const std::filesystem::path& name, size_t width, std::string_view bytes) {
  const std::filesystem::path path = folder_ / PartialPath(name, width);
  BOOST_OUTCOME_TRY(MakeFolders(path.parent_path()));
  return ReplaceFile(path, bytes, false);
}

Result<void> TileStore::WritePartials() {
  for (unsigned level = 0; level < levels_.size(); ++level) {
    const Level& row = levels_[level];
    if (row.edge.empty()) continue;
    BOOST_OUTCOME_TRY(WritePartial(TilePath(level, row.full), row.edge.size(), Bytes(row.edge)));
  }
  if (entries_.empty()) return Ok();
  return WritePartial(std::filesystem::path("entries") / IndexPath(size_ / kWidth), entries_.size(),
                      EntryBundle(entries_));
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
                                      " is missing or damaged; it is rebuilt from the segments"};
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

Result<Hash> TileReader::Node(unsigned level, uint64_t index) const {
  const unsigned tile_level = level / kLevelsPerTile;
  const unsigned inner = level % kLevelsPerTile;
  const uint64_t first = index << inner;
  const size_t count = size_t{1} << inner;
  const uint64_t tile = first / TileStore::kWidth;
  const size_t offset = static_cast<size_t>(first % TileStore::kWidth);
  const uint64_t row = tile_level * kLevelsPerTile < 64 ? size_ >> (tile_level * kLevelsPerTile) : 0;
  const std::filesystem::path name = TileStore::TilePath(tile_level, tile);
  const bool partial = tile == row / TileStore::kWidth;
  const size_t width = partial ? static_cast<size_t>(row % TileStore::kWidth) : TileStore::kWidth;
  if (tile > row / TileStore::kWidth || offset + count > width) {
    return Error{Code::kNotFound, "the tree has no such node"};
  }
  auto bytes = ReadFile(folder_ / (partial ? TileStore::PartialPath(name, width) : name), kTileBytes);
  if (!bytes && partial) bytes = ReadFile(folder_ / name, kTileBytes);  // it has become full since
  if (!bytes || bytes.value().size() < width * sizeof(Hash)) {
    return Error{Code::kNotFound, "tile " + name.string() + " is missing or damaged"};
  }
  std::vector<Hash> hashes(count);
  std::memcpy(hashes.data(), bytes.value().data() + offset * sizeof(Hash), count * sizeof(Hash));
  return Fold(std::move(hashes));
}

Result<std::string> TileStore::Entry(uint64_t index) const {
  const Error missing{Code::kNotFound, "no such record"};
  if (index >= size_) return missing;
  const size_t offset = static_cast<size_t>(index % kWidth);
  if (index / kWidth == size_ / kWidth) return entries_[offset];
  BOOST_OUTCOME_TRY(const std::string bytes,
                    ReadFile(folder_ / "entries" / IndexPath(index / kWidth), kMaxBundle));
  BOOST_OUTCOME_TRY(const auto leaves, ParseEntryBundle(bytes));
  if (offset >= leaves.size()) return missing;
  return leaves[offset];
}

}  // namespace portcullis::audit
