// The key of one subject, retention class and week. Two things that are destroyed alone or together: the
// wrap key, without which no chain opens (wrap.cc), and a puncturable pseudorandom function, a GGM tree
// (Goldreich, Goldwasser, Micali 1986; punctured as by Boneh and Waters 2013), which gives every part of
// every record a share of its key. Puncturing a part replaces the nodes on the way to it by their siblings:
// all other shares stay, that one is gone from whatever is derived from this key later. SUBJECT KEY in
// FORMAT.md. Secrets lie in locked memory. Not thread-safe to change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audit/error.h"
#include "audit/record.h"
#include "certs/secret.h"

namespace portcullis::audit {

// A part's place in the tree: chain (48 bits) ‖ index in the chain (12) ‖ type of the part (4). The tree has
// 32 levels of fan-out 4, so each level takes two bits.
using TreePoint = uint64_t;
inline constexpr unsigned kTreeDepth = 32;
inline constexpr unsigned kChainDepth = 24;   // the node that all parts of a chain are below
inline constexpr unsigned kRecordDepth = 30;
inline constexpr size_t kNodeSize = 32;
inline constexpr size_t kMaxPunctures = 1000;  // of one key

TreePoint PointOfChain(uint64_t chain);
TreePoint PointOf(uint64_t chain, uint32_t index, PartType type);
inline PartType PartOf(TreePoint point) { return static_cast<PartType>(point & 15); }
// kTampered where chain or index is larger than any that is ever written.
Result<void> CheckPlaceInTree(const Leaf& leaf);

// From a node at depth `from` to the one below it at depth `to`, on the way to the point; in place.
void Descend(std::span<uint8_t> node, unsigned from, unsigned to, TreePoint point);

class SubjectKey {
 public:
  SubjectKey() = default;  // none
  static SubjectKey Random();
  // kTampered when it is not what encoded() gives.
  static Result<SubjectKey> Decode(certs::SecretBytes encoded);
  SubjectKey Copy() const;

  const certs::SecretBytes& encoded() const { return encoded_; }
  bool empty() const { return encoded_.empty(); }
  std::span<const uint8_t> wrap() const { return encoded_.bytes().first(kNodeSize); }
  size_t punctures() const { return points_.size(); }
  bool Punctured(TreePoint point) const;

  // The node at that depth on the way to the point; false when a part below it was punctured.
  bool Node(TreePoint point, unsigned depth, std::span<uint8_t> out) const;
  // kExists when it is punctured already, kTooLarge after kMaxPunctures.
  Result<void> Puncture(TreePoint point);

 private:
  struct Place {
    TreePoint first = 0;  // of the points below
    unsigned depth = 0;
  };
  static std::vector<Place> Cover(std::span<const TreePoint> points);
  std::span<const uint8_t> NodeAt(size_t index) const;

  certs::SecretBytes encoded_;
  std::vector<TreePoint> points_;  // punctured, ascending
  std::vector<Place> cover_;       // of the nodes, in their order
};

}  // namespace portcullis::audit
