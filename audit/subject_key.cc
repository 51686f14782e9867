// Encoded: wrap key ‖ count u32 ‖ punctured points u64, ascending ‖ nodes of 32 bytes. Which nodes these are
// follows from the points alone: the largest subtrees without a punctured point, from left to right.

#include "audit/subject_key.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "audit/bytes.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kLabel = "portcullis node v1";
constexpr size_t kHead = kNodeSize + sizeof(uint32_t);
constexpr unsigned kFanOut = 4;
constexpr unsigned kIndexBits = 12, kTypeBits = 4;

unsigned Digit(TreePoint point, unsigned depth) { return static_cast<unsigned>(point >> (62 - 2 * depth)) & 3; }
// The last point of the subtree at that depth.
TreePoint LastOf(TreePoint first, unsigned depth) { return depth == 0 ? UINT64_MAX : first | (UINT64_MAX >> (2 * depth - 1) >> 1); }

void Step(std::span<uint8_t> node, unsigned depth, unsigned digit) {
  const std::array<uint8_t, 2> place = {static_cast<uint8_t>(depth), static_cast<uint8_t>(digit)};
  std::array<uint8_t, kNodeSize> below;
  crypto_generichash_state state;
  crypto_generichash_init(&state, node.data(), kNodeSize, below.size());
  crypto_generichash_update(&state, AsBytes(kLabel).data(), kLabel.size());
  crypto_generichash_update(&state, place.data(), place.size());
  crypto_generichash_final(&state, below.data(), below.size());
  sodium_memzero(&state, sizeof state);
  std::memcpy(node.data(), below.data(), below.size());
  sodium_memzero(below.data(), below.size());
}

Error Malformed() { return Error{Code::kTampered, "the key of a subject is malformed"}; }

}  // namespace

TreePoint PointOfChain(uint64_t chain) { return chain << (kIndexBits + kTypeBits); }

TreePoint PointOf(uint64_t chain, uint32_t index, PartType type) {
  return PointOfChain(chain) | TreePoint{index} << kTypeBits | static_cast<TreePoint>(type);
}

Result<void> CheckPlaceInTree(const Leaf& leaf) {
  if (leaf.chain >> 48 != 0 || leaf.chain_index >> kIndexBits != 0) {
    return Error{Code::kTampered, "record " + std::to_string(leaf.seq) + ": its place in its chain is out of bounds"};
  }
  return Ok();
}

void Descend(std::span<uint8_t> node, unsigned from, unsigned to, TreePoint point) {
  for (unsigned depth = from; depth < to; ++depth) Step(node, depth, Digit(point, depth));
}

SubjectKey SubjectKey::Random() {
  SubjectKey key;
  key.encoded_ = certs::SecretBytes(kHead + kNodeSize);
  randombytes_buf(key.encoded_.data(), kNodeSize);
  randombytes_buf(key.encoded_.data() + kHead, kNodeSize);
  key.cover_ = Cover({});
  return key;
}

Result<SubjectKey> SubjectKey::Decode(certs::SecretBytes encoded) {
  SubjectKey key;
  key.encoded_ = std::move(encoded);
  if (key.encoded_.size() < kHead) return Malformed();
  ByteReader in(AsText(key.encoded_.bytes().subspan(kNodeSize)));
  const uint32_t count = in.Get<uint32_t>();
  if (count > kMaxPunctures || in.left() < count * sizeof(TreePoint)) return Malformed();
  for (uint32_t i = 0; i < count; ++i) {
    const TreePoint point = in.Get<TreePoint>();
    if (i > 0 && point <= key.points_.back()) return Malformed();
    key.points_.push_back(point);
  }
  key.cover_ = Cover(key.points_);
  if (in.left() != key.cover_.size() * kNodeSize) return Malformed();
  return key;
}

SubjectKey SubjectKey::Copy() const {
  SubjectKey copy;
  copy.encoded_ = certs::SecretBytes::CopyOf(encoded_.bytes());
  copy.points_ = points_;
  copy.cover_ = cover_;
  return copy;
}

std::vector<SubjectKey::Place> SubjectKey::Cover(std::span<const TreePoint> points) {
  std::vector<Place> cover;
  const auto walk = [&cover](const auto& self, std::span<const TreePoint> inside, TreePoint first, unsigned depth) -> void {
    if (inside.empty()) return cover.push_back(Place{first, depth});
    if (depth == kTreeDepth) return;  // the punctured point itself
    for (unsigned digit = 0; digit < kFanOut; ++digit) {
      const TreePoint child = first | TreePoint{digit} << (62 - 2 * depth);
      const auto end = std::upper_bound(inside.begin(), inside.end(), LastOf(child, depth + 1));
      const auto count = static_cast<size_t>(end - inside.begin());
      self(self, inside.first(count), child, depth + 1);
      inside = inside.subspan(count);
    }
  };
  walk(walk, points, 0, 0);
  return cover;
}

std::span<const uint8_t> SubjectKey::NodeAt(size_t index) const {
  return encoded_.bytes().subspan(kHead + points_.size() * sizeof(TreePoint) + index * kNodeSize, kNodeSize);
}

bool SubjectKey::Punctured(TreePoint point) const { return std::binary_search(points_.begin(), points_.end(), point); }

bool SubjectKey::Node(TreePoint point, unsigned depth, std::span<uint8_t> out) const {
  const auto after = std::upper_bound(cover_.begin(), cover_.end(), point,
                                      [](TreePoint value, const Place& place) { return value < place.first; });
  if (after == cover_.begin()) return false;
  const auto place = std::prev(after);
  if (place->depth > depth || point > LastOf(place->first, place->depth)) return false;
  const auto node = NodeAt(static_cast<size_t>(place - cover_.begin()));
  std::copy(node.begin(), node.end(), out.begin());
  Descend(out, place->depth, depth, point);
  return true;
}

Result<void> SubjectKey::Puncture(TreePoint point) {
  if (Punctured(point)) return Error{Code::kExists, "this part was shredded before"};
  if (points_.size() >= kMaxPunctures) {
    return Error{Code::kTooLarge, "1000 parts of this subject and week were shredded one by one, and no more can be: "
                                  "`erase` destroys all of the subject's records"};
  }
  std::vector<TreePoint> points = points_;
  points.insert(std::upper_bound(points.begin(), points.end(), point), point);
  std::vector<Place> cover = Cover(points);
  std::string head;
  ByteWriter out(head);
  out.Put(static_cast<uint32_t>(points.size()));
  for (const TreePoint one : points) out.Put(one);
  certs::SecretBytes encoded(kNodeSize + head.size() + cover.size() * kNodeSize);
  std::span<uint8_t> rest = encoded.bytes();
  std::copy(wrap().begin(), wrap().end(), rest.begin());
  std::copy(head.begin(), head.end(), rest.begin() + kNodeSize);
  rest = rest.subspan(kNodeSize + head.size());
  for (const Place& place : cover) {
    if (!Node(place.first, place.depth, rest.first(kNodeSize))) return Malformed();
    rest = rest.subspan(kNodeSize);
  }
  encoded_ = std::move(encoded);
  points_ = std::move(points);
  cover_ = std::move(cover);
  return Ok();
}

}  // namespace portcullis::audit
