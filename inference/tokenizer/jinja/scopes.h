// The names of a template while it runs: its own variables first, then those of loops and macros,
// the nearest last. A macro sees the template's and its own. One run, one thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inference/tokenizer/jinja/meter.h"
#include "inference/tokenizer/jinja/value.h"

namespace portcullis::inference::jinja {

class Scopes {
 public:
  explicit Scopes(const Dict& variables) : scopes_{variables} {}

  // Undefined where the name is not known.
  Result<Value> Find(std::string_view name, Meter& meter) const {
    for (size_t i = scopes_.size(); i-- > 0;) {
      if (i > 0 && i < macro_) continue;
      BOOST_OUTCOME_TRY(meter.Steps(scopes_[i].items.size() / kNamesPerStep));
      if (const Value* found = scopes_[i].Find(name)) return *found;
    }
    return Value();
  }
  Result<void> Set(std::string_view name, Value value, Meter& meter) {
    BOOST_OUTCOME_TRY(meter.Steps(scopes_.back().items.size() / kNamesPerStep));
    scopes_.back().Set(Text(name, false), std::move(value));
    return boost::outcome_v2::success();
  }

  void Push() { scopes_.emplace_back(); }
  void Pop() { scopes_.pop_back(); }
  void Clear() { scopes_.back() = Dict{}; }
  // Returns what LeaveMacro wants.
  size_t EnterMacro() {
    Push();
    return std::exchange(macro_, scopes_.size() - 1);
  }
  void LeaveMacro(size_t outer) {
    macro_ = outer;
    Pop();
  }

 private:
  static constexpr size_t kNamesPerStep = 16;

  std::vector<Dict> scopes_;
  size_t macro_ = 1;  // the scopes between the first and this one are out of sight
};

}  // namespace portcullis::inference::jinja
