// The Merkle tree of RFC 6962/9162 over SHA-256: leaf and node hashes, the compact range that grows a
// tree with O(log n) memory, and the offline checks of inclusion and consistency proofs. Who makes
// proofs brings the nodes (NodeSource; tiles.h on disk). Thread-compatible; the EVP_MD is fetched once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"

namespace portcullis::audit {

inline constexpr size_t kMaxProofHashes = 63;
inline constexpr unsigned kTileLevel = 8;  // C2SP tlog-tiles: a tile is a perfect subtree of 256 leaves
inline constexpr size_t kTileWidth = size_t{1} << kTileLevel;

Hash Sha256(std::string_view bytes);
Hash LeafHash(std::string_view leaf);                  // SHA-256(0x00 ‖ leaf)
Hash NodeHash(const Hash& left, const Hash& right);    // SHA-256(0x01 ‖ left ‖ right)
Hash EmptyRoot();                                      // SHA-256 of nothing

// The right edge of a tree: the roots of its perfect subtrees, largest first, one per set bit of size.
class CompactRange {
 public:
  CompactRange() = default;
  // Fails when the number of nodes does not fit the size.
  static Result<CompactRange> Restore(uint64_t size, std::vector<Hash> nodes);

  // The root of the perfect subtree of 2^level leaves that this leaf completes, if it completes one.
  std::optional<Hash> Append(const Hash& leaf_hash, unsigned level = 0);
  Hash Root() const;
  uint64_t size() const { return size_; }
  const std::vector<Hash>& nodes() const { return nodes_; }

 private:
  uint64_t size_ = 0;
  std::vector<Hash> nodes_;
};

// The root of the perfect subtree of 2^level leaves that starts at leaf index << level.
using NodeSource = std::function<Result<Hash>(unsigned level, uint64_t index)>;

// The root of the first `size` leaves.
Result<Hash> RootAt(uint64_t size, const NodeSource& node);
Result<std::vector<Hash>> InclusionProof(uint64_t index, uint64_t size, const NodeSource& node);
Result<std::vector<Hash>> ConsistencyProof(uint64_t old_size, uint64_t size, const NodeSource& node);

Result<void> VerifyInclusion(const Hash& leaf_hash, uint64_t index, uint64_t size,
                             std::span<const Hash> proof, const Hash& root);
Result<void> VerifyConsistency(uint64_t old_size, uint64_t size, std::span<const Hash> proof,
                               const Hash& old_root, const Hash& root);

}  // namespace portcullis::audit
