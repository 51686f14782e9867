#include "inference/sample/grammar/token_mask.h"

#include <algorithm>
#include <array>
#include <utility>

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kMaxRemembered = 256;  // masks an answer; 16 KiB each at 128 k tokens
constexpr size_t kMaxShared = 1024;
constexpr size_t kManyFrames = 24;

// A token has at most 32 bytes, so it cannot tell counters beyond that apart.
uint16_t Clipped(uint16_t count) {
  return std::min<uint16_t>(count, TokenTrie::kMaxTokenBytes + 1);
}

}  // namespace

void TokenMask::Join(const TokenMask& other) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
}

bool TokenMask::empty() const {
  return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return word == 0; });
}

std::shared_ptr<const LocalMask> SharedMasks::Find(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto it = masks_.find(key);
  return it == masks_.end() ? nullptr : it->second;
}

void SharedMasks::Put(const Key& key, std::shared_ptr<const LocalMask> mask) {
  const std::lock_guard lock(mutex_);
  if (masks_.size() < kMaxShared) masks_.emplace(key, std::move(mask));
}

MaskBuilder::MaskBuilder(const Grammar& grammar, Matcher& matcher, SharedMasks& shared, uint64_t most_work)
    : grammar_(grammar), matcher_(matcher), shared_(shared), most_work_(most_work) {}

std::shared_ptr<const LocalMask> MaskBuilder::Local(const Frame& frame) {
  Counter counter = frame.counter;
  counter.need = Clipped(counter.need);
  if (counter.left != kNoLimit) counter.left = Clipped(counter.left);
  const SharedMasks::Key key(frame.state, (uint32_t{counter.need} << 16) | counter.left);
  const bool common = frame.state < grammar_.prelude_end();
  if (common) {
    if (auto found = shared_.Find(key)) return found;
  } else if (const auto it = own_.find(key); it != own_.end()) {
    return it->second;
  }
  auto built = Build(frame.state, counter);
  if (!built) return nullptr;
  if (common) {
    shared_.Put(key, built);
  } else {
    if (own_.size() >= kMaxRemembered) own_.clear();
    own_.emplace(key, built);
  }
  return built;
}

std::shared_ptr<const LocalMask> MaskBuilder::Build(StateId state, Counter counter) {
  const TokenTrie& trie = shared_.trie();
  auto result = std::make_shared<LocalMask>(LocalMask{TokenMask(trie.vocab_size()), {}});
  Matcher local(grammar_);
  local.Allow(most_work_ - work_);
  std::array<SetId, TokenTrie::kMaxTokenBytes + 1> sets{};
  sets[0] = local.StartAt(state, counter);
  const auto nodes = trie.nodes();
  for (uint32_t at = 1; at < nodes.size();) {
    const TokenTrie::Node& node = nodes[at];
    local.Rewind(node.depth - 1u);
    const SetId set = local.Step(sets[node.depth - 1u], node.byte);
    if (local.overran()) return nullptr;
    if (set == kDead) {
      at = node.skip;
      continue;
    }
    for (const TokenId id : trie.TokensOf(node)) result->sure.Set(id);
    if (local.Ends(set)) {
      // Everything behind here is for the whole stack to say.
      if (node.skip > at + 1) result->exits.push_back(at);
    }
    sets[node.depth] = set;
    at = local.HasMore(set) ? at + 1 : node.skip;
  }
  work_ += local.work();
  return result;
}

// The tokens behind node `begin`, where `matcher` stands at `set`; tokens begin behind `base` bytes of its
// text. False where it takes too long.
bool MaskBuilder::WalkFrom(Matcher& matcher, size_t base, uint32_t begin, SetId set, TokenMask& mask) {
  const TokenTrie& trie = shared_.trie();
  const auto nodes = trie.nodes();
  std::array<SetId, TokenTrie::kMaxTokenBytes + 1> sets{};
  sets[nodes[begin].depth] = set;
  for (uint32_t at = begin + 1; at < nodes[begin].skip;) {
    const TokenTrie::Node& node = nodes[at];
    matcher.Rewind(base + node.depth - 1u);
    const SetId next = matcher.Step(sets[node.depth - 1u], node.byte);
    if (matcher.overran()) return false;
    if (next == kDead) {
      at = node.skip;
      continue;
    }
    for (const TokenId id : trie.TokensOf(node)) mask.Set(id);
    sets[node.depth] = next;
    ++at;
  }
  return true;
}

// With a matcher of its own, so that the many positions on the way are forgotten, and its own text.
bool MaskBuilder::WalkTogether(SetId set, TokenMask& mask) {
  for (const uint32_t top : matcher_.Frames(set)) {
    const State& state = grammar_.state(matcher_.frame(top).state);
    if (state.kind == State::Kind::kToken) mask.Set(state.token);
  }
  Matcher local(grammar_);
  local.Allow(most_work_);
  const SetId here = local.Take(matcher_, set);
  return WalkFrom(local, local.text_size(), 0, here, mask);
}

// The way from the root to each exit, along the tree: nodes are in walking order.
bool MaskBuilder::WalkExits(SetId set, std::vector<uint32_t> exits, TokenMask& mask) {
  const auto nodes = shared_.trie().nodes();
  std::sort(exits.begin(), exits.end());
  std::array<SetId, TokenTrie::kMaxTokenBytes + 1> sets{};
  sets[0] = set;
  const size_t base = matcher_.text_size();
  matcher_.Allow(most_work_ - work_);
  uint32_t at = 1;
  uint32_t covered = 0;
  bool walked = true;
  for (const uint32_t exit : exits) {
    if (exit < covered) continue;
    // From the node that the last walk reached, down or sideways to `exit`.
    while (at <= exit) {
      const TokenTrie::Node& node = nodes[at];
      if (node.skip <= exit) {
        at = node.skip;
        continue;
      }
      matcher_.Rewind(base + node.depth - 1u);
      sets[node.depth] = matcher_.Step(sets[node.depth - 1u], node.byte);
      ++at;
    }
    const SetId here = sets[nodes[exit].depth];
    walked = here == kDead || WalkFrom(matcher_, base, exit, here, mask);
    if (!walked) break;
    covered = at = nodes[exit].skip;
  }
  matcher_.Rewind(base);
  return walked && !matcher_.overran();
}

const TokenMask* MaskBuilder::MaskOf(SetId set) {
  // Within such an array the mask depends on the text, not on the position alone.
  const bool back = matcher_.LooksBack(set);
  if (masks_.size() >= kMaxRemembered || back) masks_.clear();
  if (const auto it = masks_.find(set); it != masks_.end()) return &it->second;
  TokenMask mask(shared_.trie().vocab_size());
  work_ = 0;
  if (matcher_.Frames(set).size() > kManyFrames || back) {
    if (!WalkTogether(set, mask)) return nullptr;
    return &masks_.emplace(set, std::move(mask)).first->second;
  }
  const std::vector<uint32_t> tops(matcher_.Frames(set).begin(), matcher_.Frames(set).end());
  std::vector<uint32_t> exits;
  for (const uint32_t top : tops) {
    const Frame frame = matcher_.frame(top);
    const State& state = grammar_.state(frame.state);
    if (state.kind == State::Kind::kToken) {
      mask.Set(state.token);
      continue;
    }
    const auto local = Local(frame);
    if (!local) return nullptr;
    mask.Join(local->sure);
    exits.insert(exits.end(), local->exits.begin(), local->exits.end());
  }
  if (!WalkExits(set, std::move(exits), mask)) return nullptr;
  return &masks_.emplace(set, std::move(mask)).first->second;
}

}  // namespace portcullis::inference::grammar
