// The tree against the test vectors of RFC 6962 implementations and against brute force.

#include "audit/merkle.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "audit/note.h"
#include "audit/tiles.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit {
namespace {

std::vector<Hash> Leaves(size_t count) {
  std::vector<Hash> leaves;
  for (size_t i = 0; i < count; ++i) leaves.push_back(LeafHash("leaf " + std::to_string(i)));
  return leaves;
}

// MTH of RFC 6962, 2.1, word for word.
Hash BruteRoot(std::span<const Hash> leaves) {
  if (leaves.empty()) return Sha256({});
  if (leaves.size() == 1) return leaves[0];
  size_t split = 1;
  while (split * 2 < leaves.size()) split *= 2;
  return NodeHash(BruteRoot(leaves.first(split)), BruteRoot(leaves.subspan(split)));
}

NodeSource SourceOf(const std::vector<Hash>& leaves) {
  return [&leaves](unsigned level, uint64_t index) -> Result<Hash> {
    const size_t width = size_t{1} << level;
    return BruteRoot(std::span(leaves).subspan(index * width, width));
  };
}

TEST(Merkle, KnownVectors) {
  EXPECT_EQ(Hex(EmptyRoot()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(LeafHash({})), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  // The eight inputs that certificate-transparency implementations share, and their roots.
  const std::string inputs[] = {"",
                                std::string("\x00", 1),
                                "\x10",
                                "\x20\x21",
                                "\x30\x31",
                                "\x40\x41\x42\x43",
                                "\x50\x51\x52\x53\x54\x55\x56\x57",
                                "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
  CompactRange tree;
  for (const std::string& input : inputs) tree.Append(LeafHash(input));
  EXPECT_EQ(Hex(tree.Root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

TEST(Merkle, CompactRangeEqualsBruteForce) {
  const auto leaves = Leaves(130);
  CompactRange tree;
  for (size_t size = 0; size <= leaves.size(); ++size) {
    EXPECT_EQ(tree.Root(), BruteRoot(std::span(leaves).first(size))) << size;
    const auto again = CompactRange::Restore(tree.size(), tree.nodes());
    ASSERT_TRUE(again);
    EXPECT_EQ(again.value().Root(), tree.Root());
    if (size < leaves.size()) tree.Append(leaves[size]);
  }
  EXPECT_FALSE(CompactRange::Restore(3, {Hash{}}));
}

TEST(Merkle, EveryInclusionProofHolds) {
  const auto leaves = Leaves(40);
  const auto source = SourceOf(leaves);
  for (uint64_t size = 1; size <= leaves.size(); ++size) {
    const Hash root = BruteRoot(std::span(leaves).first(size));
    for (uint64_t index = 0; index < size; ++index) {
      auto proof = InclusionProof(index, size, source);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(VerifyInclusion(leaves[index], index, size, proof.value(), root));
      EXPECT_FALSE(VerifyInclusion(leaves[index], index + 1, size, proof.value(), root));
      EXPECT_FALSE(VerifyInclusion(LeafHash("other"), index, size, proof.value(), root));
      for (Hash& hash : proof.value()) {
        hash[3] ^= 1;
        EXPECT_FALSE(VerifyInclusion(leaves[index], index, size, proof.value(), root));
        hash[3] ^= 1;
      }
      proof.value().push_back(Hash{});
      EXPECT_FALSE(VerifyInclusion(leaves[index], index, size, proof.value(), root));
    }
  }
  EXPECT_FALSE(InclusionProof(5, 5, source));
}

TEST(Merkle, EveryConsistencyProofHolds) {
  const auto leaves = Leaves(36);
  const auto source = SourceOf(leaves);
  for (uint64_t size = 1; size <= leaves.size(); ++size) {
    const Hash root = BruteRoot(std::span(leaves).first(size));
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      const Hash old_root = BruteRoot(std::span(leaves).first(old_size));
      auto proof = ConsistencyProof(old_size, size, source);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(VerifyConsistency(old_size, size, proof.value(), old_root, root));
      if (old_size == 0 || old_size == size) continue;
      EXPECT_FALSE(VerifyConsistency(old_size, size, proof.value(), LeafHash("fork"), root));
      EXPECT_FALSE(VerifyConsistency(old_size, size, proof.value(), old_root, LeafHash("fork")));
      for (Hash& hash : proof.value()) {
        hash[0] ^= 0x80;
        EXPECT_FALSE(VerifyConsistency(old_size, size, proof.value(), old_root, root));
        hash[0] ^= 0x80;
      }
      proof.value().pop_back();
      EXPECT_FALSE(VerifyConsistency(old_size, size, proof.value(), old_root, root));
    }
  }
}

TEST(Merkle, Case21HostileProofSizesAreRefused) {
  const std::vector<Hash> many(64);
  EXPECT_FALSE(VerifyInclusion(Hash{}, 0, UINT64_MAX, many, Hash{}));
  EXPECT_FALSE(VerifyInclusion(Hash{}, 0, 0, {}, Hash{}));
  EXPECT_FALSE(VerifyConsistency(5, 4, {}, Hash{}, Hash{}));
  EXPECT_FALSE(VerifyConsistency(1, UINT64_MAX, many, Hash{}, Hash{}));
  EXPECT_FALSE(VerifyConsistency(0, 4, {}, Hash{}, Hash{}));
}

TEST(Tiles, NodesFromDiskAndMemoryEqualBruteForce) {
  const test::TempDir dir;
  TileStore tiles(dir.path() / "tile");
  const auto leaves = Leaves(256 * 3 + 77);
  for (const Hash& leaf : leaves) ASSERT_TRUE(tiles.Append("entry", leaf));
  const auto source = SourceOf(leaves);
  for (unsigned level = 0; level < 10; ++level) {
    for (uint64_t index = 0; (index + 1) << level <= leaves.size(); ++index) {
      const auto node = tiles.Node(level, index);
      ASSERT_TRUE(node) << level << " " << index;
      ASSERT_EQ(node.value(), source(level, index).value());
    }
  }
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "tile/0/002"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "tile/0/003"));
  EXPECT_FALSE(tiles.Node(0, leaves.size()));
  EXPECT_EQ(TileStore::TilePath(0, 1234067), std::filesystem::path("0/x001/x234/067"));
}

TEST(Tiles, ADamagedTileIsNotedNotTrusted) {
  const test::TempDir dir;
  TileStore tiles(dir.path() / "tile");
  for (const Hash& leaf : Leaves(300)) ASSERT_TRUE(tiles.Append("entry", leaf));
  test::Spill(dir.path() / "tile/0/000", "short");
  EXPECT_FALSE(tiles.Node(0, 3));
}

}  // namespace
}  // namespace portcullis::audit
