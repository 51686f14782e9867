#include "audit/chains.h"

#include <sodium.h>

#include <algorithm>

#include "audit/seal.h"
#include "audit/subject_key.h"

namespace portcullis::audit {
namespace {

constexpr size_t kSlot = kKeySize + kNodeSize;

}  // namespace

ChainTable::ChainTable() : keys_(kMaxChains * kSlot) { Clear(); }

std::span<uint8_t> ChainTable::Key(size_t slot) {
  return keys_.bytes().subspan(slot * kSlot, kKeySize);
}

std::span<uint8_t> ChainTable::Node(size_t slot) {
  return keys_.bytes().subspan(slot * kSlot + kKeySize, kNodeSize);
}

std::optional<ChainTable::Link> ChainTable::Current(const Owner& owner, uint32_t epoch,
                                                    uint64_t now_us) {
  const auto found = chains_.find(owner);
  if (found == chains_.end()) return std::nullopt;
  const Chain& chain = found->second;
  if (chain.index >= kMaxRecords || chain.epoch != epoch || now_us - chain.born_us > kMaxAgeUs) {
    Forget(owner);
    return std::nullopt;
  }
  return Link{chain.chain, chain.index, chain.wrap_set_hash, Key(chain.slot), Node(chain.slot)};
}

ChainTable::Fresh ChainTable::Begin(const Owner& owner, uint32_t epoch, uint64_t chain, uint64_t now_us) {
  Forget(owner);
  if (free_.empty()) {
    const auto oldest = std::min_element(chains_.begin(), chains_.end(), [](const auto& a, const auto& b) {
      return a.second.born_us < b.second.born_us;
    });
    Forget(Owner(oldest->first));
  }
  const size_t slot = free_.back();
  free_.pop_back();
  randombytes_buf(Key(slot).data(), kKeySize);
  chains_[owner] = Chain{slot, chain, 0, epoch, now_us, {}};
  return Fresh{Key(slot), Node(slot)};
}

void ChainTable::SetWrap(const Owner& owner, const Hash& wrap_set_hash) {
  chains_.at(owner).wrap_set_hash = wrap_set_hash;
}

void ChainTable::Advance(const Owner& owner) {
  Chain& chain = chains_.at(owner);
  AdvanceChain(Key(chain.slot));
  ++chain.index;
}

void ChainTable::Forget(const Owner& owner) {
  const auto found = chains_.find(owner);
  if (found == chains_.end()) return;
  sodium_memzero(Key(found->second.slot).data(), kSlot);
  free_.push_back(found->second.slot);
  chains_.erase(found);
}

void ChainTable::ForgetSubject(const Tag& subject) {
  for (auto next = chains_.begin(); next != chains_.end();) {
    const auto chain = next++;
    if (chain->first.key.subject == subject) Forget(Owner(chain->first));
  }
}

void ChainTable::Clear() {
  chains_.clear();
  keys_.Wipe();
  free_.resize(kMaxChains);
  for (size_t i = 0; i < kMaxChains; ++i) free_[i] = i;
}

}  // namespace portcullis::audit
