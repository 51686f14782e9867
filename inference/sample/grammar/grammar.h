// A grammar over bytes and control tokens, as a network of states: what a constrained answer may
// look like. A rule is entered by a call and left by a return; a frame of the call stack holds the
// state to go on with and two counters for one counted loop. Built right to left: every function
// takes the state that follows and gives the one to begin with. Immutable once finished, then
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/vocab.h"

namespace portcullis::inference::grammar {

using StateId = uint32_t;
inline constexpr uint16_t kNoLimit = 0xFFFF;

// How often a loop still has to, and still may, go round.
struct Counter {
  uint16_t need = 0;
  uint16_t left = kNoLimit;
  friend bool operator==(const Counter&, const Counter&) = default;
};

struct Edge {
  uint8_t low, high;  // both included
  StateId to;
};

struct State {
  enum class Kind : uint8_t {
    kBytes,   // one byte along `edges`
    kToken,   // the control token, then next[0]
    kSplit,   // any of `next`, without a byte
    kCall,    // the rule that begins at next[0] with `counter`, then next[1]
    kEnter,   // sets the counter, then next[0]
    kHead,    // next[0] while it may go round, next[1] once it need not
    kCount,   // one round done, then next[0]
    kMark,      // as kCall; its rule is told where in the text it began
    kDistinct,  // next[0] where the item that ends here differs from those before it in a kMark's rule
    kReturn,
  };
  Kind kind = Kind::kSplit;
  Counter counter{};
  TokenId token = kNoToken;
  std::vector<Edge> edges{};
  std::vector<StateId> next{};
};

class Grammar {
 public:
  static constexpr StateId kReturn = 0;

  Grammar();  // with the rules of prelude.cc, the same in every grammar

  const State& state(StateId id) const { return states_[id]; }
  size_t size() const { return states_.size(); }
  StateId root() const { return root_; }
  void set_root(StateId root) { root_ = root; }
  // States below this one are the same in every grammar.
  StateId prelude_end() const { return prelude_end_; }
  // What may come next depends on the text so far, not on the position alone.
  bool looks_back() const { return looks_back_; }

  // Rules of the prelude: begin states to be called.
  StateId string_rule = 0;   // a JSON string; the counter limits its characters
  StateId integer_rule = 0;  // at most 15 digits
  StateId number_rule = 0;
  StateId value_rule = 0;   // any JSON
  StateId object_rule = 0;  // any JSON object
  StateId array_rule = 0;
  StateId space_rule = 0;  // nothing, a space, or a line break and an indentation

  StateId Bytes(std::vector<Edge> edges);
  StateId Range(uint8_t low, uint8_t high, StateId next);
  StateId Literal(std::string_view bytes, StateId next);
  StateId Token(TokenId token, StateId next);
  StateId Split(std::vector<StateId> options);
  StateId Call(StateId rule, StateId next, Counter counter = {});
  StateId Space(StateId next) { return Call(space_rule, next); }
  // `rule` holds the items of an array and its end; each item is followed by Distinct. Numbers and
  // strings only.
  StateId Mark(StateId rule, StateId next);
  StateId Distinct(StateId next);
  StateId Enter(Counter counter, StateId next);
  StateId Count(StateId next);
  // Empty states to be filled in once what they lead to exists.
  StateId Forward();
  void FillSplit(StateId forward, std::vector<StateId> options);
  void FillHead(StateId forward, StateId again, StateId done);
  void FillBytes(StateId forward, std::vector<Edge> edges);

  // Takes away what can never end. Fails where nothing is left, where a rule calls itself without
  // a byte between, and where the grammar is too large.
  Result<void> Finish();
  bool too_large() const { return states_.size() + edges_ / kEdgesPerState > kMaxStates; }

 private:
  static constexpr size_t kMaxStates = 200'000;
  static constexpr size_t kEdgesPerState = 8;  // take as much memory as a state
  void BuildPrelude();
  StateId Add(State state);
  std::vector<char> Productive() const;
  bool CallsItself() const;

  std::vector<State> states_;
  size_t edges_ = 0;  // of all states
  StateId root_ = kReturn;
  StateId prelude_end_ = 0;
  bool looks_back_ = false;
};

}  // namespace portcullis::inference::grammar
