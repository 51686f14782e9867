// The subset construction (Rabin and Scott, 1959) over all parts at once: a state of the combination
// is, for each part, the set of nodes that it may be at. Characters are told apart only where some
// part does: its ranges cut the code points into intervals, one step each.
#include "inference/sample/grammar/automaton.h"

#include <algorithm>
#include <map>
#include <utility>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kMaxStates = 20'000;
constexpr size_t kMaxTextNodes = 100'000;
constexpr int64_t kByteSteps = 20;
constexpr char32_t kSurrogates = 0xD800, kAfterSurrogates = 0xE000, kBeyond = 0x110000;

using Nodes = std::vector<uint32_t>;  // sorted

bool Has(const CharacterSet& set, char32_t c) {
  return std::any_of(set.begin(), set.end(),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

// Follows one automaton over sets of its nodes.
class Walker {
 public:
  Walker(const Automaton& automaton, int64_t& effort)
      : automaton_(automaton), effort_(effort), seen_(automaton.nodes.size()) {}

  const Automaton& automaton() const { return automaton_; }
  Nodes Start() { return Closed({automaton_.start}); }
  Nodes Step(const Nodes& nodes, char32_t c) {
    Nodes next;
    --effort_;
    for (const uint32_t node : nodes) {
      for (const auto& [set, to] : automaton_.nodes[node].steps) {
        effort_ -= static_cast<int64_t>(1 + set.size());
        if (Has(set, c)) next.push_back(to);
      }
    }
    return Closed(std::move(next));
  }
  bool Ends(const Nodes& nodes) const { return std::binary_search(nodes.begin(), nodes.end(), automaton_.end); }

 private:
  // With everything that is reached without a character.
  Nodes Closed(Nodes nodes) {
    ++round_;
    Nodes all;
    while (!nodes.empty()) {
      const uint32_t node = nodes.back();
      nodes.pop_back();
      if (std::exchange(seen_[node], round_) == round_) continue;
      all.push_back(node);
      const auto& silent = automaton_.nodes[node].silent;
      effort_ -= static_cast<int64_t>(1 + silent.size());
      nodes.insert(nodes.end(), silent.begin(), silent.end());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  const Automaton& automaton_;
  int64_t& effort_;
  std::vector<uint32_t> seen_;  // in which round
  uint32_t round_ = 0;
};

class Combination {
 public:
  Combination(std::span<const Automaton> all, std::span<const Automaton> none, int64_t& effort)
      : wanted_(all.size()), effort_(effort) {
    for (const Automaton& part : all) parts_.emplace_back(part, effort);
    for (const Automaton& part : none) parts_.emplace_back(part, effort);
  }

  Result<Automaton> Build() {
    out_.nodes.emplace_back();  // the end
    State begin;
    for (Walker& part : parts_) begin.push_back(part.Start());
    out_.start = Number(begin);
    while (!pending_.empty()) {
      const State state = std::move(pending_.back());
      pending_.pop_back();
      if (states_.size() > kMaxStates || effort_ < 0) {
        return Error{Code::kTooLarge, "pattern: it is too large together with the others"};
      }
      Expand(state);
    }
    return std::move(out_);
  }

 private:
  using State = std::vector<Nodes>;  // of each part

  uint32_t Number(const State& state) {
    const auto [it, fresh] = states_.try_emplace(state, static_cast<uint32_t>(out_.nodes.size()));
    if (fresh) {
      out_.nodes.emplace_back();
      pending_.push_back(state);
    }
    return it->second;
  }

  // Where the next character may begin to matter.
  std::vector<char32_t> Cuts(const State& state) const {
    std::vector<char32_t> cuts = {0, kSurrogates, kAfterSurrogates, kBeyond};
    for (size_t i = 0; i < parts_.size(); ++i) {
      for (const uint32_t node : state[i]) {
        for (const Automaton::Step& step : parts_[i].automaton().nodes[node].steps) {
          for (const auto& [low, high] : step.set) {
            cuts.push_back(low);
            cuts.push_back(high + 1);
          }
        }
      }
    }
    effort_ -= static_cast<int64_t>(cuts.size());
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }

  void Expand(const State& state) {
    const uint32_t from = states_.at(state);
    const std::vector<char32_t> cuts = Cuts(state);
    std::map<uint32_t, CharacterSet> to;
    for (size_t cut = 0; cut + 1 < cuts.size() && effort_ >= 0; ++cut) {
      if (cuts[cut] >= kSurrogates && cuts[cut] < kAfterSurrogates) continue;
      State next;
      bool alive = true;
      for (size_t i = 0; i < parts_.size() && alive; ++i) {
        next.push_back(parts_[i].Step(state[i], cuts[cut]));
        alive = i >= wanted_ || !next.back().empty();
      }
      if (alive) to[Number(next)].emplace_back(cuts[cut], cuts[cut + 1] - 1);
    }
    for (auto& [target, set] : to) out_.nodes[from].steps.push_back({std::move(set), target});
    bool ends = true;
    for (size_t i = 0; i < parts_.size(); ++i) ends = ends && parts_[i].Ends(state[i]) == (i < wanted_);
    if (ends) out_.nodes[from].silent.push_back(out_.end);
  }

  std::vector<Walker> parts_;  // those that must take the text first
  const size_t wanted_;
  int64_t& effort_;
  Automaton out_;
  std::map<State, uint32_t> states_;
  std::vector<State> pending_;
};

}  // namespace

CharacterSet AnyCharacter() { return {{0, kSurrogates - 1}, {kAfterSurrogates, kBeyond - 1}}; }

Result<Automaton> TextsOf(std::span<const std::string> texts, int64_t& effort) {
  Automaton out;
  out.nodes.resize(2);
  out.end = 1;
  for (std::string_view text : texts) {
    const bool room = text.size() <= kMaxTextNodes - std::min(out.nodes.size(), kMaxTextNodes);
    if (!room || (effort -= static_cast<int64_t>(1 + text.size()) * kByteSteps) < 0) {
      return Error{Code::kTooLarge, "the names and values that are listed are too long together"};
    }
    uint32_t at = out.start;
    while (!text.empty()) {
      const char32_t c = FirstCodePoint(text);
      text.remove_prefix(CharacterLength(text));
      const auto next = static_cast<uint32_t>(out.nodes.size());
      out.nodes.emplace_back();
      out.nodes[at].steps.push_back({{{c, c}}, next});
      at = next;
    }
    out.nodes[at].silent.push_back(out.end);
  }
  return out;
}

Result<Automaton> Combine(std::span<const Automaton> all, std::span<const Automaton> none, int64_t& effort) {
  return Combination(all, none, effort).Build();
}

std::optional<bool> Takes(const Automaton& automaton, std::string_view text, int64_t& effort) {
  effort -= static_cast<int64_t>(automaton.nodes.size());
  Walker walker(automaton, effort);
  Nodes at = walker.Start();
  while (!text.empty() && !at.empty() && effort >= 0) {
    at = walker.Step(at, FirstCodePoint(text));
    text.remove_prefix(CharacterLength(text));
  }
  return effort < 0 ? std::nullopt : std::optional(walker.Ends(at));
}

bool TakesNothing(const Automaton& automaton) {
  std::vector<char> seen(automaton.nodes.size(), 0);
  std::vector<uint32_t> work = {automaton.start};
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    if (std::exchange(seen[node], 1) != 0) continue;
    const Automaton::Node& at = automaton.nodes[node];
    work.insert(work.end(), at.silent.begin(), at.silent.end());
    for (const Automaton::Step& step : at.steps) work.push_back(step.to);
  }
  return seen[automaton.end] == 0;
}

Lengths LengthsOf(const Automaton& automaton) {
  const size_t count = automaton.nodes.size();
  std::vector<std::vector<uint32_t>> into(count);  // the nodes before each
  std::vector<char> useful(count, 0);              // leads to the end
  Nodes work;
  for (uint32_t node = 0; node < count; ++node) {
    for (const Automaton::Step& step : automaton.nodes[node].steps) into[step.to].push_back(node);
    if (!automaton.nodes[node].silent.empty()) work.push_back(node);
  }
  const Nodes last = work;
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    if (std::exchange(useful[node], 1) == 0) work.insert(work.end(), into[node].begin(), into[node].end());
  }
  Lengths out;
  if (useful[automaton.start] == 0) return out;

  constexpr size_t kFar = SIZE_MAX;
  std::vector<size_t> nearest(count, kFar);  // steps to an end, by breadth first
  for (const uint32_t node : last) nearest[node] = 0;
  Nodes queue = last;
  for (size_t at = 0; at < queue.size(); ++at) {
    for (const uint32_t before : into[queue[at]]) {
      if (nearest[before] != kFar) continue;
      nearest[before] = nearest[queue[at]] + 1;
      queue.push_back(before);
    }
  }
  out.shortest = nearest[automaton.start];

  // A node is done when all that follow it are; on a circle none ever is.
  std::vector<size_t> open(count, 0), farthest(count, 0);
  for (uint32_t node = 0; node < count; ++node) {
    for (const Automaton::Step& step : automaton.nodes[node].steps) open[node] += useful[step.to] != 0;
    if (useful[node] != 0 && open[node] == 0) work.push_back(node);
  }
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    if (node == automaton.start) out.longest = farthest[node];
    for (const uint32_t before : into[node]) {
      farthest[before] = std::max(farthest[before], farthest[node] + 1);
      if (--open[before] == 0) work.push_back(before);
    }
  }
  return out;
}

}  // namespace portcullis::inference::grammar
