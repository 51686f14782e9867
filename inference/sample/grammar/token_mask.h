// Which tokens may come next. The idea (that of XGrammar, Dong et al. 2024): of the tokens possible
// at a position most depend on the innermost rule alone, "inside a string" say, wherever the string
// stands. For such a frame the vocabulary is walked once and remembered, together with the places of
// the tree where a token would leave the rule; only from those places on the whole stack is asked.
// The rules of JSON itself are remembered for all grammars (SharedMasks), the rest per answer. Where many
// readings are open at once the vocabulary is walked with all of them together instead.
// SharedMasks is thread-safe; MaskBuilder is not.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "inference/sample/grammar/matcher.h"
#include "inference/sample/grammar/token_trie.h"

namespace portcullis::inference::grammar {

// A bit a token.
class TokenMask {
 public:
  explicit TokenMask(size_t vocab_size) : words_((vocab_size + 63) / 64) {}
  void Set(TokenId id) { words_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }
  bool Has(TokenId id) const { return (words_[static_cast<size_t>(id) / 64] >> (id % 64)) & 1; }
  void Join(const TokenMask& other);
  bool empty() const;
  std::span<const uint64_t> words() const { return words_; }

 private:
  std::vector<uint64_t> words_;
};

// What one frame says by itself.
struct LocalMask {
  TokenMask sure;
  std::vector<uint32_t> exits;  // nodes of the tree behind which the rule is left
};

class SharedMasks {
 public:
  using Key = std::pair<StateId, uint32_t>;
  explicit SharedMasks(const Vocab& vocab) : trie_(vocab) {}
  const TokenTrie& trie() const { return trie_; }
  std::shared_ptr<const LocalMask> Find(const Key& key) const;
  void Put(const Key& key, std::shared_ptr<const LocalMask> mask);

 private:
  TokenTrie trie_;
  mutable std::mutex mutex_;
  boost::unordered_flat_map<Key, std::shared_ptr<const LocalMask>> masks_;  // guarded by mutex_
};

class MaskBuilder {
 public:
  static constexpr uint64_t kMostWork = 8'000'000;  // as Matcher counts it
  // All must outlive this; `matcher` runs `grammar`.
  MaskBuilder(const Grammar& grammar, Matcher& matcher, SharedMasks& shared, uint64_t most_work = kMostWork);

  // Text tokens and control tokens; not the end of the answer. Valid until the next call. Null where
  // so many readings are open that the mask would take more than `most_work`, or too much memory; the
  // matcher may then have overrun.
  const TokenMask* MaskOf(SetId set);
  // The matcher was renewed: its numbers mean other positions now.
  void Forget() { masks_.clear(); }

 private:
  std::shared_ptr<const LocalMask> Local(const Frame& frame);
  std::shared_ptr<const LocalMask> Build(StateId state, Counter counter);
  bool WalkFrom(Matcher& matcher, size_t base, uint32_t node, SetId set, TokenMask& mask);
  bool WalkExits(SetId set, std::vector<uint32_t> exits, TokenMask& mask);
  bool WalkTogether(SetId set, TokenMask& mask);

  const Grammar& grammar_;
  Matcher& matcher_;
  SharedMasks& shared_;
  boost::unordered_flat_map<SharedMasks::Key, std::shared_ptr<const LocalMask>> own_;
  boost::unordered_flat_map<SetId, TokenMask> masks_;
  const uint64_t most_work_;
  uint64_t work_ = 0;  // for the frames of the mask in hand
};

}  // namespace portcullis::inference::grammar
