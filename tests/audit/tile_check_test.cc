#include "audit/tile_check.h"

#include "audit/tiles.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

constexpr uint64_t kLeaves = kTileWidth * kTileWidth + 3;  // one full tile of the second level

std::string LeafText(uint64_t seq) { return "leaf " + std::to_string(seq); }

// What the check says of the tiles in this folder.
std::optional<std::string> Damaged(const std::filesystem::path& folder) {
  TileCheck check(folder);
  CompactRange tree;
  const Leaf leaf;
  for (uint64_t seq = 0; seq < kLeaves; ++seq) {
    const std::string text = LeafText(seq);
    const Hash hash = LeafHash(text);
    const auto root = tree.Append(hash, kTileLevel);
    EXPECT_EQ(root.has_value(), (seq + 1) % kTileWidth == 0);
    check.Take(ScannedRecord{leaf, hash, text, {}, false, 0, 0, 0, root});
  }
  return check.damaged();
}

TEST(TileCheck, NamesTheFirstDamagedTileOfEveryLevel) {
  const TempDir dir;
  const std::filesystem::path folder = dir.path() / "tile";
  std::filesystem::create_directory(folder);
  TileStore store(folder);
  for (uint64_t seq = 0; seq < kLeaves; ++seq) ASSERT_TRUE(store.Append(LeafText(seq), LeafHash(LeafText(seq))));
  EXPECT_EQ(Damaged(folder), std::nullopt);
  for (const char* name : {"0/000", "0/255", "1/000", "entries/000", "entries/255"}) {
    const std::string good = Slurp(folder / name);
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    Spill(folder / name, bad);
    EXPECT_EQ(Damaged(folder), name);
    std::filesystem::remove(folder / name);
    EXPECT_EQ(Damaged(folder), name);
    Spill(folder / name, good);
  }
  EXPECT_EQ(Damaged(folder), std::nullopt);
}

}  // namespace
}  // namespace portcullis::audit::test
