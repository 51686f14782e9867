#include "inference/sample/grammar/grammar.h"

#include <algorithm>

namespace portcullis::inference::grammar {

using Kind = State::Kind;

Grammar::Grammar() {
  State end;
  end.kind = Kind::kReturn;
  states_.push_back(std::move(end));
  BuildPrelude();
  prelude_end_ = static_cast<StateId>(states_.size());
}

// Beyond the limit nothing is kept any more: Finish refuses it.
StateId Grammar::Add(State state) {
  if (too_large()) return static_cast<StateId>(states_.size() - 1);
  states_.push_back(std::move(state));
  return static_cast<StateId>(states_.size() - 1);
}

StateId Grammar::Forward() { return Add({}); }

StateId Grammar::Bytes(std::vector<Edge> edges) {
  const StateId id = Forward();
  FillBytes(id, std::move(edges));
  return id;
}

StateId Grammar::Range(uint8_t low, uint8_t high, StateId next) {
  return Bytes({Edge{low, high, next}});
}

StateId Grammar::Literal(std::string_view bytes, StateId next) {
  for (size_t i = bytes.size(); i-- > 0 && !too_large();) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    next = Range(byte, byte, next);
  }
  return next;
}

StateId Grammar::Token(TokenId token, StateId next) {
  State state;
  state.kind = Kind::kToken;
  state.token = token;
  state.next = {next};
  return Add(std::move(state));
}

StateId Grammar::Split(std::vector<StateId> options) {
  if (options.size() == 1) return options.front();
  const StateId id = Forward();
  FillSplit(id, std::move(options));
  return id;
}

StateId Grammar::Call(StateId rule, StateId next, Counter counter) {
  State state;
  state.kind = Kind::kCall;
  state.counter = counter;
  state.next = {rule, next};
  return Add(std::move(state));
}

StateId Grammar::Mark(StateId rule, StateId next) {
  looks_back_ = true;
  State state;
  state.kind = Kind::kMark;
  state.next = {rule, next};
  return Add(std::move(state));
}

StateId Grammar::Distinct(StateId next) {
  State state;
  state.kind = Kind::kDistinct;
  state.next = {next};
  return Add(std::move(state));
}

StateId Grammar::Enter(Counter counter, StateId next) {
  State state;
  state.kind = Kind::kEnter;
  state.counter = counter;
  state.next = {next};
  return Add(std::move(state));
}

StateId Grammar::Count(StateId next) {
  State state;
  state.kind = Kind::kCount;
  state.next = {next};
  return Add(std::move(state));
}

void Grammar::FillSplit(StateId forward, std::vector<StateId> options) {
  states_[forward].kind = Kind::kSplit;
  states_[forward].next = std::move(options);
}

void Grammar::FillHead(StateId forward, StateId again, StateId done) {
  states_[forward].kind = Kind::kHead;
  states_[forward].next = {again, done};
}

void Grammar::FillBytes(StateId forward, std::vector<Edge> edges) {
  edges.shrink_to_fit();
  edges_ += edges.size();
  states_[forward].kind = Kind::kBytes;
  states_[forward].edges = std::move(edges);
}

namespace {

bool IsCall(const State& state) { return state.kind == Kind::kCall || state.kind == Kind::kMark; }

// All that a state's goodness may rest on.
template <class Visit>
void ForSuccessors(const std::vector<State>& states, const State& state, const Visit& visit) {
  for (const StateId next : state.next) visit(next);
  for (const Edge& edge : state.edges) visit(edge.to);
  if (state.kind == Kind::kEnter && !states[state.next[0]].next.empty()) {
    visit(states[state.next[0]].next[0]);
  }
}

// The states for which `rule` holds, given those for which it is known to; each is looked at again
// whenever one that it leads to was found.
template <class Rule>
std::vector<char> Fixpoint(const std::vector<State>& states, const Rule& rule) {
  const size_t size = states.size();
  std::vector<size_t> begin(size + 1, 0);  // where the predecessors of each state begin
  for (const State& state : states) {
    ForSuccessors(states, state, [&](StateId to) { ++begin[to + size_t{1}]; });
  }
  for (size_t i = 0; i < size; ++i) begin[i + 1] += begin[i];
  std::vector<StateId> before(begin[size]);
  std::vector<size_t> place(begin.begin(), begin.end() - 1);
  for (StateId id = 0; id < size; ++id) {
    ForSuccessors(states, states[id], [&](StateId to) { before[place[to]++] = id; });
  }
  std::vector<char> good(size, 0);
  std::vector<StateId> found;
  const auto look = [&](StateId id) {
    if (good[id] == 0 && rule(id, good)) {
      good[id] = 1;
      found.push_back(id);
    }
  };
  for (StateId id = 0; id < size; ++id) look(id);
  while (!found.empty()) {
    const StateId id = found.back();
    found.pop_back();
    for (size_t i = begin[id]; i < begin[id + size_t{1}]; ++i) look(before[i]);
  }
  return good;
}

}  // namespace

std::vector<char> Grammar::Productive() const {
  return Fixpoint(states_, [&](StateId i, const std::vector<char>& good) {
    const State& state = states_[i];
    const auto is_good = [&](StateId id) { return good[id] != 0; };
    if (state.kind == Kind::kReturn) return true;
    if (IsCall(state)) return std::all_of(state.next.begin(), state.next.end(), is_good);
    if (state.kind == Kind::kHead) return is_good(state.next[1]);
    if (state.kind == Kind::kEnter && state.counter.need > 0) {
      return is_good(state.next[0]) && is_good(states_[state.next[0]].next[0]);
    }
    return std::any_of(state.next.begin(), state.next.end(), is_good) ||
           std::any_of(state.edges.begin(), state.edges.end(),
                       [&](const Edge& edge) { return is_good(edge.to); });
  });
}

// Follows everything that needs no byte; a rule on the way to itself would call itself for ever.
bool Grammar::CallsItself() const {
  // May return without a byte.
  const auto empty = Fixpoint(states_, [&](StateId n, const std::vector<char>& good) {
    const State& state = states_[n];
    const auto is_empty = [&](StateId id) { return good[id] != 0; };
    if (state.kind == Kind::kBytes || state.kind == Kind::kToken) return false;
    if (state.kind == Kind::kReturn) return true;
    if (IsCall(state)) return std::all_of(state.next.begin(), state.next.end(), is_empty);
    return std::any_of(state.next.begin(), state.next.end(), is_empty);
  });
  // Depth-first search; a call edge that closes a circle is the fault.
  enum : char { kNew, kOpen, kDone };
  std::vector<char> color(states_.size(), kNew);
  struct Visit {
    StateId id;
    size_t next;
  };
  std::vector<Visit> stack;
  for (StateId start = 0; start < states_.size(); ++start) {
    if (color[start] != kNew) continue;
    stack.push_back({start, 0});
    color[start] = kOpen;
    while (!stack.empty()) {
      Visit& top = stack.back();
      const State& state = states_[top.id];
      const bool silent = state.kind != Kind::kBytes && state.kind != Kind::kToken;
      const bool call = IsCall(state);
      const size_t count = !silent ? 0 : call && !empty[state.next[0]] ? 1 : state.next.size();
      if (top.next == count) {
        color[top.id] = kDone;
        stack.pop_back();
        continue;
      }
      const StateId to = state.next[top.next++];
      if (color[to] == kOpen) {
        const auto begin = std::find_if(stack.begin(), stack.end(),
                                        [&](const Visit& visit) { return visit.id == to; });
        const bool has_call = std::any_of(begin, stack.end(), [&](const Visit& visit) {
          return IsCall(states_[visit.id]);
        });
        if (has_call) return true;
      } else if (color[to] == kNew) {
        color[to] = kOpen;
        stack.push_back({to, 0});
      }
    }
  }
  return false;
}

Result<void> Grammar::Finish() {
  if (too_large()) {
    return Error{Code::kTooLarge, "it needs more than 200,000 states; make it smaller"};
  }
  if (CallsItself()) {
    return Error{Code::kInvalidArgument, "it refers to itself with nothing in between"};
  }
  const std::vector<char> good = Productive();
  if (!good[root_]) return Error{Code::kInvalidArgument, "no finite value satisfies it"};
  for (size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    if (!good[i]) state = State{};  // leads nowhere, whatever leads to it
    std::erase_if(state.edges, [&](const Edge& edge) { return !good[edge.to]; });
    if (state.kind == Kind::kSplit) {
      std::erase_if(state.next, [&](StateId id) { return !good[id]; });
    }
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference::grammar
