#include "inference/sample/grammar/matcher.h"

#include <algorithm>
#include <boost/container_hash/hash.hpp>
#include <utility>

namespace portcullis::inference::grammar {
namespace {

using Kind = State::Kind;

constexpr SetId kUnknown = -2;
constexpr size_t kFewSeen = 24;
constexpr size_t kLooksPerFrame = 16;  // frames looked at for the price of one entered

Counter Decremented(Counter counter) {
  if (counter.need > 0) --counter.need;
  if (counter.left != kNoLimit && counter.left > 0) --counter.left;
  return counter;
}

}  // namespace

size_t Matcher::FrameHash::operator()(const Frame& frame) const {
  size_t seed = frame.state;
  boost::hash_combine(seed, (uint32_t{frame.counter.need} << 16) | frame.counter.left);
  boost::hash_combine(seed, frame.parent);
  return seed;
}

size_t Matcher::SetHash::operator()(const std::vector<uint32_t>& key) const {
  return boost::hash_range(key.begin(), key.end());
}

Matcher::Matcher(const Grammar& grammar) : grammar_(grammar), frames_(1), depths_(1) {}

uint32_t Matcher::Intern(const Frame& frame) {
  const auto [it, fresh] = frame_ids_.try_emplace(frame, static_cast<uint32_t>(frames_.size()));
  if (fresh) {
    frames_.push_back(frame);
    depths_.push_back(static_cast<uint16_t>(depths_[frame.parent] + 1));
  }
  return it->second;
}

SetId Matcher::Start() { return StartAt(grammar_.root(), {}); }

SetId Matcher::StartAt(StateId state, Counter counter) {
  Enter({state, counter, kBottom});
  return Close();
}

// False, from then on always, where that was too much.
bool Matcher::Spend(uint64_t work) {
  work_done_ += work;
  overran_ = overran_ || work_done_ > most_work_ || bytes() > kMaxBytes;
  return !overran_;
}

// Follows all that needs no byte, down to states that do.
void Matcher::Enter(const Frame& begin) {
  work_.push_back(begin);
  while (!work_.empty()) {
    if (!Spend(1)) return work_.clear();
    const Frame at = work_.back();
    work_.pop_back();
    const State& state = grammar_.state(at.state);
    if (state.kind == Kind::kBytes || state.kind == Kind::kToken) {
      const bool closed = state.kind == Kind::kBytes && state.edges.empty();
      if (!closed) gathered_.push_back(Intern(at));
      continue;
    }
    if (Seen(at)) continue;
    switch (state.kind) {
      case Kind::kSplit:
        for (const StateId next : state.next) work_.push_back({next, at.counter, at.parent});
        break;
      case Kind::kCall: {
        // A call that is the last thing a rule does leaves no frame of its own.
        uint32_t parent = at.parent;
        if (state.next[1] != Grammar::kReturn) parent = Intern({state.next[1], at.counter, at.parent});
        if (depths_[parent] < kMaxDepth) work_.push_back({state.next[0], state.counter, parent});
        break;
      }
      case Kind::kEnter:
        work_.push_back({state.next[0], state.counter, at.parent});
        break;
      case Kind::kHead:
        if (at.counter.left > 0) work_.push_back({state.next[0], at.counter, at.parent});
        if (at.counter.need == 0) work_.push_back({state.next[1], {}, at.parent});
        break;
      case Kind::kCount:
        work_.push_back({state.next[0], Decremented(at.counter), at.parent});
        break;
      case Kind::kMark: {
        uint32_t parent = at.parent;
        if (state.next[1] != Grammar::kReturn) parent = Intern({state.next[1], at.counter, at.parent});
        const auto here = static_cast<uint32_t>(text_.size());
        const Counter place{static_cast<uint16_t>(here >> 16), static_cast<uint16_t>(here)};
        parent = Intern({Grammar::kReturn, place, parent});
        if (depths_[parent] < kMaxDepth) work_.push_back({state.next[0], {}, parent});
        looked_back_ = true;
        break;
      }
      case Kind::kDistinct: {
        const Counter place = frames_[at.parent].counter;
        const size_t from = (size_t{place.need} << 16) | place.left;
        size_t read = 0;
        const bool differs = distinct_.Differs(text_, from, settled_, read);
        if (!Spend(read / kLooksPerFrame)) return work_.clear();
        if (differs) work_.push_back({state.next[0], at.counter, at.parent});
        looked_back_ = true;
        break;
      }
      case Kind::kReturn:
        if (at.parent == kBottom) {
          ends_ = true;
        } else {
          work_.push_back(frames_[at.parent]);
        }
        break;
      default:
        break;
    }
  }
}

// Marks it; true where it was.
bool Matcher::Seen(const Frame& frame) {
  if (!seen_set_.empty()) return !seen_set_.insert(frame).second;
  if (std::find(seen_.begin(), seen_.end(), frame) != seen_.end()) return true;
  seen_.push_back(frame);
  if (seen_.size() > kFewSeen) seen_set_.insert(seen_.begin(), seen_.end());
  return false;
}

SetId Matcher::Close() {
  seen_.clear();
  if (!seen_set_.empty()) seen_set_ = {};
  if (overran_) {
    gathered_.clear();
    ends_ = false;
    return kDead;
  }
  std::sort(gathered_.begin(), gathered_.end());
  gathered_.erase(std::unique(gathered_.begin(), gathered_.end()), gathered_.end());
  const bool ends = std::exchange(ends_, false);
  if (gathered_.empty() && !ends) return kDead;
  std::vector<uint32_t> key = gathered_;
  gathered_.clear();
  key.push_back(ends ? 1 : 0);
  const auto [it, fresh] = set_ids_.try_emplace(key, static_cast<SetId>(sets_.size()));
  if (fresh) {
    key.pop_back();
    entries_ += key.size();
    sets_.push_back({std::move(key), ends, nullptr});
  }
  return it->second;
}

uint32_t Matcher::Copy(const Matcher& from, uint32_t frame) {
  if (frame == kBottom) return kBottom;
  Frame copy = from.frames_[frame];
  copy.parent = Copy(from, copy.parent);  // at most kMaxDepth deep
  return Intern(copy);
}

SetId Matcher::Take(const Matcher& from, SetId set) {
  for (const uint32_t frame : from.Frames(set)) gathered_.push_back(Copy(from, frame));
  ends_ = from.Ends(set);
  text_ = from.text_;
  settled_ = text_.size();
  return Close();
}

// Only such an array leaves a frame that stands at the end of a rule: it says where the array began.
bool Matcher::LooksBack(SetId set) const {
  const auto within = [this](uint32_t top) {
    for (uint32_t at = frames_[top].parent; at != kBottom; at = frames_[at].parent) {
      if (frames_[at].state == Grammar::kReturn) return true;
    }
    return false;
  };
  const std::span<const uint32_t> tops = Frames(set);
  return grammar_.looks_back() && std::any_of(tops.begin(), tops.end(), within);
}

SetId Matcher::Renew(SetId set) {
  Matcher fresh(grammar_);
  const SetId renewed = fresh.Take(*this, set);
  frames_.swap(fresh.frames_);
  depths_.swap(fresh.depths_);
  frame_ids_.swap(fresh.frame_ids_);
  sets_.swap(fresh.sets_);
  set_ids_.swap(fresh.set_ids_);
  entries_ = fresh.entries_;
  return renewed;
}

SetId Matcher::Step(SetId set, uint8_t byte) {
  if (set == kDead || overran_) return kDead;
  if (grammar_.looks_back()) text_.push_back(static_cast<char>(byte));
  {
    Set& from = sets_[static_cast<size_t>(set)];
    if (!from.steps) {
      from.steps = std::make_unique<std::array<SetId, 256>>();
      from.steps->fill(kUnknown);
    }
    const SetId known = (*from.steps)[byte];
    if (known != kUnknown) return known;
  }
  const std::vector<uint32_t> tops = sets_[static_cast<size_t>(set)].frames;
  if (!Spend(tops.size() / kLooksPerFrame)) return kDead;
  looked_back_ = false;
  for (const uint32_t top : tops) {
    const Frame at = frames_[top];
    for (const Edge& edge : grammar_.state(at.state).edges) {
      if (byte >= edge.low && byte <= edge.high) Enter({edge.to, at.counter, at.parent});
    }
  }
  const SetId result = Close();
  if (!looked_back_) (*sets_[static_cast<size_t>(set)].steps)[byte] = result;
  return result;
}

SetId Matcher::StepToken(SetId set, TokenId token) {
  if (set == kDead) return kDead;
  const std::vector<uint32_t> tops = sets_[static_cast<size_t>(set)].frames;
  if (!Spend(tops.size() / kLooksPerFrame)) return kDead;
  for (const uint32_t top : tops) {
    const Frame at = frames_[top];
    const State& state = grammar_.state(at.state);
    if (state.kind == Kind::kToken && state.token == token) {
      Enter({state.next[0], at.counter, at.parent});
    }
  }
  return Close();
}

SetId Matcher::Walk(SetId set, std::string_view bytes) {
  settled_ = text_.size();
  for (const char byte : bytes) set = Step(set, static_cast<uint8_t>(byte));
  return set;
}

}  // namespace portcullis::inference::grammar
