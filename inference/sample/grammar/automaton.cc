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

constexpr size_t kMaxStates = 3'000;
constexpr size_t kMaxSteps = 100'000;
constexpr char32_t kSurrogates = 0xD800, kAfterSurrogates = 0xE000, kBeyond = 0x110000;

using Nodes = std::vector<uint32_t>;  // sorted

// With everything that is reached without a character.
Nodes Closed(const Automaton& automaton, Nodes nodes) {
  std::vector<char> seen(automaton.nodes.size(), 0);
  Nodes all;
  while (!nodes.empty()) {
    const uint32_t node = nodes.back();
    nodes.pop_back();
    if (std::exchange(seen[node], 1) != 0) continue;
    all.push_back(node);
    nodes.insert(nodes.end(), automaton.nodes[node].silent.begin(), automaton.nodes[node].silent.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

bool Has(const CharacterSet& set, char32_t c) {
  return std::any_of(set.begin(), set.end(),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

Nodes Step(const Automaton& automaton, const Nodes& nodes, char32_t c) {
  Nodes next;
  for (const uint32_t node : nodes) {
    if (Has(automaton.nodes[node].set, c)) next.push_back(automaton.nodes[node].to);
  }
  return Closed(automaton, std::move(next));
}

bool Ends(const Automaton& automaton, const Nodes& nodes) {
  return std::binary_search(nodes.begin(), nodes.end(), automaton.end);
}

class Combination {
 public:
  Combination(std::span<const Automaton> all, std::span<const Automaton> none) : wanted_(all.size()) {
    for (const Automaton& part : all) parts_.push_back(&part);
    for (const Automaton& part : none) parts_.push_back(&part);
  }

  Result<Automaton> Build() {
    out_.nodes.emplace_back();  // the end
    State begin;
    for (const Automaton* part : parts_) begin.push_back(Closed(*part, {part->start}));
    out_.start = Number(begin);
    while (!pending_.empty()) {
      const State state = std::move(pending_.back());
      pending_.pop_back();
      if (states_.size() > kMaxStates || steps_ > kMaxSteps) {
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
        for (const auto& [low, high] : parts_[i]->nodes[node].set) {
          cuts.push_back(low);
          cuts.push_back(high + 1);
        }
      }
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }

  void Expand(const State& state) {
    const uint32_t from = states_.at(state);
    const std::vector<char32_t> cuts = Cuts(state);
    std::map<uint32_t, CharacterSet> to;
    for (size_t cut = 0; cut + 1 < cuts.size(); ++cut, ++steps_) {
      if (cuts[cut] >= kSurrogates && cuts[cut] < kAfterSurrogates) continue;
      State next;
      bool alive = true;
      for (size_t i = 0; i < parts_.size() && alive; ++i) {
        next.push_back(Step(*parts_[i], state[i], cuts[cut]));
        alive = i >= wanted_ || !next.back().empty();
      }
      if (alive) to[Number(next)].emplace_back(cuts[cut], cuts[cut + 1] - 1);
    }
    for (auto& [target, set] : to) {
      out_.nodes[from].silent.push_back(static_cast<uint32_t>(out_.nodes.size()));
      out_.nodes.push_back({{}, std::move(set), target});
    }
    bool ends = true;
    for (size_t i = 0; i < parts_.size(); ++i) ends = ends && Ends(*parts_[i], state[i]) == (i < wanted_);
    if (ends) out_.nodes[from].silent.push_back(out_.end);
  }

  std::vector<const Automaton*> parts_;  // those that must take the text first
  const size_t wanted_;
  Automaton out_;
  std::map<State, uint32_t> states_;
  std::vector<State> pending_;
  size_t steps_ = 0;
};

}  // namespace

CharacterSet AnyCharacter() { return {{0, kSurrogates - 1}, {kAfterSurrogates, kBeyond - 1}}; }

Automaton TextsOf(std::span<const std::string> texts) {
  Automaton out;
  out.nodes.resize(2);
  out.end = 1;
  for (std::string_view text : texts) {
    uint32_t at = out.start;
    while (!text.empty()) {
      const char32_t c = FirstCodePoint(text);
      text.remove_prefix(CharacterLength(text));
      const auto step = static_cast<uint32_t>(out.nodes.size());
      out.nodes[at].silent.push_back(step);
      out.nodes.push_back({{}, {{c, c}}, step + 1});
      out.nodes.emplace_back();
      at = step + 1;
    }
    out.nodes[at].silent.push_back(out.end);
  }
  return out;
}

Result<Automaton> Combine(std::span<const Automaton> all, std::span<const Automaton> none) {
  return Combination(all, none).Build();
}

bool Takes(const Automaton& automaton, std::string_view text) {
  Nodes at = Closed(automaton, {automaton.start});
  while (!text.empty() && !at.empty()) {
    at = Step(automaton, at, FirstCodePoint(text));
    text.remove_prefix(CharacterLength(text));
  }
  return Ends(automaton, at);
}

bool TakesNothing(const Automaton& automaton) {
  std::vector<char> seen(automaton.nodes.size(), 0);
  Nodes work = {automaton.start};
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    if (std::exchange(seen[node], 1) != 0) continue;
    const Automaton::Node& at = automaton.nodes[node];
    work.insert(work.end(), at.silent.begin(), at.silent.end());
    if (!at.set.empty()) work.push_back(at.to);
  }
  return seen[automaton.end] == 0;
}

}  // namespace portcullis::inference::grammar
