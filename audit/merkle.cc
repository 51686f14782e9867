// A tree of n leaves is split at the largest power of two below n (RFC 6962, 2.1). Its left part is
// always perfect, so every node that a proof needs is either the root of a perfect subtree, which a
// NodeSource can name by (level, index), or the root of a ragged right edge, which is folded from such
// subtrees. That is why proofs below are written as recursions over ranges [begin, end).

#include "audit/merkle.h"

#include <openssl/evp.h>

#include <bit>
#include <memory>
#include <stdexcept>

namespace portcullis::audit {
namespace {

class Sha256Context {
 public:
  Sha256Context() : md_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
    if (md_ == nullptr || context_ == nullptr) throw std::runtime_error("SHA-256 is not available");
  }
  ~Sha256Context() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(md_);
  }
  Sha256Context(const Sha256Context&) = delete;
  Sha256Context& operator=(const Sha256Context&) = delete;

  Hash Digest(std::string_view prefix, std::string_view a, std::string_view b) {
    Hash hash;
    const bool ok = EVP_DigestInit_ex2(context_, md_, nullptr) == 1 &&
                    Update(prefix) && Update(a) && Update(b) &&
                    EVP_DigestFinal_ex(context_, hash.data(), nullptr) == 1;
    if (!ok) throw std::runtime_error("SHA-256 failed");
    return hash;
  }

 private:
  bool Update(std::string_view bytes) {
    return bytes.empty() || EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1;
  }

  EVP_MD* md_;
  EVP_MD_CTX* context_;
};

Hash Digest(std::string_view prefix, std::string_view a, std::string_view b) {
  thread_local Sha256Context context;
  return context.Digest(prefix, a, b);
}

std::string_view Text(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

constexpr std::string_view kLeafPrefix("\x00", 1);
constexpr std::string_view kNodePrefix("\x01", 1);

uint64_t SplitPoint(uint64_t count) { return std::bit_floor(count - 1); }

// The root over leaves [begin, end), where begin is a multiple of the largest subtree inside.
Result<Hash> RangeRoot(uint64_t begin, uint64_t end, const NodeSource& node) {
  const uint64_t count = end - begin;
  if (std::has_single_bit(count)) {
    const unsigned level = static_cast<unsigned>(std::countr_zero(count));
    return node(level, begin >> level);
  }
  const uint64_t split = SplitPoint(count);
  BOOST_OUTCOME_TRY(const Hash left, RangeRoot(begin, begin + split, node));
  BOOST_OUTCOME_TRY(const Hash right, RangeRoot(begin + split, end, node));
  return NodeHash(left, right);
}

Result<void> Path(uint64_t index, uint64_t begin, uint64_t end, const NodeSource& node,
                  std::vector<Hash>& proof) {
  if (end - begin == 1) return Ok();
  const uint64_t middle = begin + SplitPoint(end - begin);
  const bool left = index < middle;
  if (left) {
    BOOST_OUTCOME_TRY(Path(index, begin, middle, node, proof));
    BOOST_OUTCOME_TRY(const Hash sibling, RangeRoot(middle, end, node));
    proof.push_back(sibling);
  } else {
    BOOST_OUTCOME_TRY(Path(index, middle, end, node, proof));
    BOOST_OUTCOME_TRY(const Hash sibling, RangeRoot(begin, middle, node));
    proof.push_back(sibling);
  }
  return Ok();
}

// SUBPROOF of RFC 6962: `whole` says that the old root over [begin, old_size) is known to the reader.
Result<void> SubProof(uint64_t old_size, uint64_t begin, uint64_t end, bool whole,
                      const NodeSource& node, std::vector<Hash>& proof) {
  if (old_size == end) {
    if (!whole) {
      BOOST_OUTCOME_TRY(const Hash root, RangeRoot(begin, end, node));
      proof.push_back(root);
    }
    return Ok();
  }
  const uint64_t middle = begin + SplitPoint(end - begin);
  if (old_size <= middle) {
    BOOST_OUTCOME_TRY(SubProof(old_size, begin, middle, whole, node, proof));
    BOOST_OUTCOME_TRY(const Hash right, RangeRoot(middle, end, node));
    proof.push_back(right);
  } else {
    BOOST_OUTCOME_TRY(SubProof(old_size, middle, end, false, node, proof));
    BOOST_OUTCOME_TRY(const Hash left, RangeRoot(begin, middle, node));
    proof.push_back(left);
  }
  return Ok();
}

Error BadProof(const char* why) {
  return Error{Code::kTampered, std::string("merkle proof: ") + why};
}

}  // namespace

Hash Sha256(std::string_view bytes) { return Digest({}, bytes, {}); }
Hash LeafHash(std::string_view leaf) { return Digest(kLeafPrefix, leaf, {}); }
Hash NodeHash(const Hash& left, const Hash& right) {
  return Digest(kNodePrefix, Text(left), Text(right));
}
Hash EmptyRoot() { return Sha256({}); }

Result<CompactRange> CompactRange::Restore(uint64_t size, std::vector<Hash> nodes) {
  if (nodes.size() != static_cast<size_t>(std::popcount(size))) {
    return Error{Code::kBadFormat, "compact range: number of nodes does not fit the size"};
  }
  CompactRange range;
  range.size_ = size;
  range.nodes_ = std::move(nodes);
  return range;
}

std::optional<Hash> CompactRange::Append(const Hash& leaf_hash, unsigned level) {
  Hash carry = leaf_hash;
  std::optional<Hash> completed;
  if (level == 0) completed = carry;
  unsigned height = 0;
  for (uint64_t bits = size_; (bits & 1) != 0; bits >>= 1) {
    carry = NodeHash(nodes_.back(), carry);
    nodes_.pop_back();
    if (++height == level) completed = carry;
  }
  nodes_.push_back(carry);
  ++size_;
  return completed;
}

Hash CompactRange::Root() const {
  if (nodes_.empty()) return EmptyRoot();
  Hash root = nodes_.back();
  for (size_t i = nodes_.size() - 1; i-- > 0;) root = NodeHash(nodes_[i], root);
  return root;
}

Result<Hash> RootAt(uint64_t size, const NodeSource& node) {
  if (size == 0) return EmptyRoot();
  return RangeRoot(0, size, node);
}

Result<std::vector<Hash>> InclusionProof(uint64_t index, uint64_t size, const NodeSource& node) {
  if (index >= size) return Error{Code::kNotFound, "inclusion proof: no such record in a tree of this size"};
  std::vector<Hash> proof;
  BOOST_OUTCOME_TRY(Path(index, 0, size, node, proof));
  return proof;
}

Result<std::vector<Hash>> ConsistencyProof(uint64_t old_size, uint64_t size, const NodeSource& node) {
  if (old_size > size) return Error{Code::kRolledBack, "consistency proof: the old tree is larger"};
  std::vector<Hash> proof;
  if (old_size == 0 || old_size == size) return proof;
  BOOST_OUTCOME_TRY(SubProof(old_size, 0, size, true, node, proof));
  return proof;
}

// RFC 9162, 2.1.3.2.
Result<void> VerifyInclusion(const Hash& leaf_hash, uint64_t index, uint64_t size,
                             std::span<const Hash> proof, const Hash& root) {
  if (index >= size) return BadProof("index outside the tree");
  if (proof.size() > kMaxProofHashes) return BadProof("more than 63 hashes");
  uint64_t fn = index, sn = size - 1;
  Hash r = leaf_hash;
  for (const Hash& p : proof) {
    if (sn == 0) return BadProof("too many hashes");
    if ((fn & 1) != 0 || fn == sn) {
      r = NodeHash(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = NodeHash(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return BadProof("too few hashes");
  if (r != root) return BadProof("the root does not match");
  return Ok();
}

// RFC 9162, 2.1.4.2.
Result<void> VerifyConsistency(uint64_t old_size, uint64_t size, std::span<const Hash> proof,
                               const Hash& old_root, const Hash& root) {
  if (old_size > size) return BadProof("the old tree is larger than the new one");
  if (proof.size() > kMaxProofHashes) return BadProof("more than 63 hashes");
  if (old_size == size || old_size == 0) {
    if (!proof.empty()) return BadProof("too many hashes");
    if (old_size == 0 && old_root != EmptyRoot()) return BadProof("the empty tree has another root");
    if (old_size == size && old_root != root) return BadProof("two roots for one size");
    return Ok();
  }
  size_t next = 0;
  uint64_t fn = old_size - 1, sn = size - 1;
  while ((fn & 1) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  Hash fr = old_root, sr = old_root;
  if (!std::has_single_bit(old_size)) {
    if (proof.empty()) return BadProof("too few hashes");
    fr = sr = proof[next++];
  }
  for (; next < proof.size(); ++next) {
    const Hash& c = proof[next];
    if (sn == 0) return BadProof("too many hashes");
    if ((fn & 1) != 0 || fn == sn) {
      fr = NodeHash(c, fr);
      sr = NodeHash(c, sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = NodeHash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  if (sn != 0) return BadProof("too few hashes");
  if (fr != old_root) return BadProof("the old root does not match");
  if (sr != root) return BadProof("the new root does not match");
  return Ok();
}

}  // namespace portcullis::audit
