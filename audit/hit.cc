#include "audit/hit.h"

#include <cstring>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/index_rows.h"
#include "audit/layout.h"
#include "audit/merkle.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "audit/tiles.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kWidth = TileStore::kWidth;
constexpr size_t kFrameTypeAt = 12;

Error DamagedTiles() { return Error{Code::kBadFormat, "the cached tiles are damaged or missing (auditd rebuilds them)"}; }

}  // namespace

HitReader::HitReader(const std::filesystem::path& log_folder, const VerifierKey& key, const Checkpoint& head)
    : log_folder_(log_folder), origin_(OriginId(key.name)), head_(head) {}

Result<void> HitReader::Prepare() {
  const TileReader tiles(LogLayout(log_folder_).tiles(), head_.size);
  const auto take = [&tiles](unsigned level, uint64_t begin, uint64_t end, std::vector<Hash>& row) {
    for (uint64_t i = begin; i < end; ++i) {
      const auto node = tiles.Node(level, i);
      if (!node) return false;
      row.push_back(node.value());
    }
    return true;
  };
  const uint64_t full = head_.size / kWidth;
  if (!take(kTileLevel, 0, full, tile_roots_) || !take(0, full * kWidth, head_.size, rest_)) return DamagedTiles();
  BOOST_OUTCOME_TRY(const Hash root, RootAt(head_.size, [this](unsigned level, uint64_t index) -> Result<Hash> {
                      // A node above the tiles is folded from their roots, one below from the rest.
                      const bool above = level >= kTileLevel;
                      const std::vector<Hash>& row = above ? tile_roots_ : rest_;
                      const unsigned inner = above ? level - kTileLevel : level;
                      const uint64_t first = (index << inner) - (above ? 0 : head_.size / kWidth * kWidth);
                      const uint64_t count = uint64_t{1} << inner;
                      if (first + count > row.size()) return Error{Code::kNotFound, "the tree has no such node"};
                      CompactRange range;
                      for (uint64_t i = first; i < first + count; ++i) range.Append(row[static_cast<size_t>(i)]);
                      return range.Root();
                    }));
  if (root != head_.root) return DamagedTiles();
  return Ok();
}

Result<Hash> HitReader::ProvedLeafHash(uint64_t seq) {
  const uint64_t tile = seq / kWidth;
  if (tile == tile_roots_.size()) return rest_[static_cast<size_t>(seq % kWidth)];
  if (tile_ != tile) {
    const auto path = LogLayout(log_folder_).tiles() / TileStore::TilePath(0, tile);
    const auto bytes = ReadFile(path, kWidth * sizeof(Hash));
    CompactRange range;
    tile_hashes_.assign(kWidth, Hash{});
    if (bytes && bytes.value().size() == kWidth * sizeof(Hash)) {
      std::memcpy(tile_hashes_.data(), bytes.value().data(), bytes.value().size());
      for (const Hash& hash : tile_hashes_) range.Append(hash);
    }
    if (range.size() != kWidth || range.Root() != tile_roots_[static_cast<size_t>(tile)]) {
      tile_.reset();
      return DamagedTiles();
    }
    tile_ = tile;
  }
  return tile_hashes_[static_cast<size_t>(seq % kWidth)];
}

Result<void> HitReader::Read(const IndexHit& hit, Leaf& leaf, Hash& leaf_hash) {
  const auto wrong = [&hit](const char* why) {
    return IndexDamaged("record " + std::to_string(hit.seq) + ": " + why);
  };
  const auto path = Within(log_folder_) / "segments" / SegmentName(hit.segment);
  const auto read = ReadFileRange(path, hit.offset, kFrameHeader + kLeafSize);
  if (!read && read.error().code != Code::kNotFound) return read.error();
  if (!read || hit.seq >= head_.size || read.value().size() < kFrameHeader + kLeafSize) {
    return wrong("it does not lie there");
  }
  const std::string& head = read.value();
  const std::string_view leaf_bytes = std::string_view(head).substr(kFrameHeader);
  leaf_hash = LeafHash(leaf_bytes);
  BOOST_OUTCOME_TRY(const Hash proved, ProvedLeafHash(hit.seq));
  if (leaf_hash != proved) return wrong("what lies there is not the record of the tree");
  BOOST_OUTCOME_TRY(leaf, DecodeLeaf(leaf_bytes));
  // Only now is the size of the rest worth believing.
  BOOST_OUTCOME_TRY(const std::string frame, ReadFileRange(path, hit.offset, kFrameHeader + kLeafSize + leaf.payload_size));
  const ParsedFrame parsed = ParseFrame(
      static_cast<uint8_t>(head[kFrameTypeAt]) == static_cast<uint8_t>(FrameType::kErased) ? std::string_view(head) : std::string_view(frame));
  if (parsed.state != FrameState::kWhole || leaf.seq != hit.seq || leaf.origin != origin_) return wrong("its frame is not whole");
  if (parsed.frame.type == FrameType::kErased) return Ok();
  const bool shredded = parsed.frame.type == FrameType::kShredded;
  if (parsed.frame.type != FrameType::kRecord && !shredded) return wrong("its frame is not a record's");
  const auto payload = CheckPayload(leaf, parsed.frame.body.substr(kLeafSize), shredded ? Zeros::kShredded : Zeros::kRefused);
  if (!payload) return payload.error();
  return Ok();
}

}  // namespace portcullis::audit
