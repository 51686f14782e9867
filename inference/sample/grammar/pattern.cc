// A character of the string is read as JSON writes it: most as their UTF-8 bytes, quotes,
// backslashes and control characters as escapes. Bounds on the length are worked in by pairing each
// node of the automaton with the number of characters so far, a pair being one state; pairs that cannot reach the
// end fall away when the grammar is finished, so no choice leads into a dead end.
#include "inference/sample/grammar/pattern.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kMaxPairs = 50'000;

// Adds the UTF-8 forms of `low` to `high`, which have the same length and whose first `fixed` bytes
// agree, to the edges that read from byte `fixed` on.
void AddUtf8(Grammar& g, std::string_view low, std::string_view high, StateId next,
             std::vector<Edge>& edges) {
  const auto first = static_cast<uint8_t>(low[0]);
  const auto last = static_cast<uint8_t>(high[0]);
  if (low.size() == 1) {
    edges.push_back({first, last, next});
    return;
  }
  const std::string least(low.size() - 1, '\x80');
  const std::string most(low.size() - 1, '\xBF');
  const auto add = [&](uint8_t begin, uint8_t end, std::string_view from, std::string_view to) {
    std::vector<Edge> inner;
    AddUtf8(g, from, to, next, inner);
    edges.push_back({begin, end, g.Bytes(std::move(inner))});
  };
  if (first == last) return add(first, last, low.substr(1), high.substr(1));
  add(first, first, low.substr(1), most);
  if (last - first > 1) add(static_cast<uint8_t>(first + 1), static_cast<uint8_t>(last - 1), least, most);
  add(last, last, least, high.substr(1));
}

void AddRange(Grammar& g, char32_t low, char32_t high, StateId next, std::vector<Edge>& edges) {
  constexpr char32_t kEnds[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  for (const char32_t end : kEnds) {
    if (low > end) continue;
    std::string from, to;
    AppendUtf8(low, from);
    AppendUtf8(std::min(high, end), to);
    AddUtf8(g, from, to, next, edges);
    if (high <= end) return;
    low = end + 1;
  }
}

// One character of `set` as a JSON string writes it, as edges.
void AddCharacters(Grammar& g, const CharacterSet& set, StateId next, std::vector<Edge>& edges) {
  std::vector<Edge> escapes;
  constexpr std::string_view kNames = "btn\0fr";  // 8 to 13
  for (auto [low, high] : set) {
    for (; low < 0x20 && low <= high; ++low) {
      const char name = low >= 8 && low <= 13 ? kNames[low - 8] : '\0';
      if (name != '\0') {
        escapes.push_back({static_cast<uint8_t>(name), static_cast<uint8_t>(name), next});
      } else {
        const std::string hex = std::string("u00") + "01"[low >> 4] + "0123456789abcdef"[low & 15];
        const StateId rest = g.Literal(std::string_view(hex).substr(1), next);
        escapes.push_back({'u', 'u', rest});
      }
    }
    for (const char32_t quote : {U'"', U'\\'}) {
      if (low > quote || high < quote) continue;
      escapes.push_back({static_cast<uint8_t>(quote), static_cast<uint8_t>(quote), next});
      if (low < quote) AddRange(g, low, quote - 1, next, edges);
      low = quote + 1;
    }
    if (low <= high) AddRange(g, low, high, next, edges);
  }
  if (!escapes.empty()) edges.push_back({'\\', '\\', g.Bytes(std::move(escapes))});
}

}  // namespace

Result<StateId> PatternString(Grammar& g, const Automaton& automaton, Counter length, StateId next) {
  if (length != Counter{}) {
    const Lengths own = LengthsOf(automaton);
    if (own.shortest >= length.need) length.need = Counter{}.need;
    if (own.longest && *own.longest <= length.left) length.left = kNoLimit;
  }
  const bool counted = length != Counter{};
  // Characters beyond this need not be told apart.
  const uint16_t most = length.left != kNoLimit ? length.left : length.need;

  using Pair = std::pair<uint32_t, uint16_t>;  // node, characters so far
  std::map<Pair, StateId> states;
  std::vector<Pair> pending;
  const auto state_of = [&](uint32_t node, uint16_t count) {
    const auto [it, fresh] = states.try_emplace(Pair(node, count), 0);
    if (fresh) {
      it->second = g.Forward();
      pending.emplace_back(node, count);
    }
    return it->second;
  };
  const StateId start = state_of(automaton.start, 0);
  while (!pending.empty()) {
    const auto [index, count] = pending.back();
    pending.pop_back();
    if (states.size() > kMaxPairs || g.too_large()) {
      return Error{Code::kTooLarge, "pattern: it is too large, with the bounds on the length"};
    }
    const Automaton::Node& node = automaton.nodes[index];
    std::vector<Edge> edges;
    const bool room = length.left == kNoLimit || count < length.left;
    for (const Automaton::Step& step : node.steps) {
      if (!room) break;
      const auto more = static_cast<uint16_t>(counted ? std::min<int>(count + 1, most) : 0);
      AddCharacters(g, step.set, state_of(step.to, more), edges);
    }
    if (!node.silent.empty() && count >= length.need) edges.push_back({'"', '"', next});
    g.FillBytes(states.at(Pair(index, count)), std::move(edges));
  }
  return g.Literal("\"", start);
}

}  // namespace portcullis::inference::grammar
