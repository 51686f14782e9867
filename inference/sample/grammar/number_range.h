// Numbers between bounds, as states that read their decimal digits and know at each how the digits
// so far compare with those of the bounds. At most 15 digits, so that every number is exact in a
// double; no exponents. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

struct Bound {
  double value = 0;
  bool exclusive = false;
};

struct NumberRange {
  std::optional<Bound> low, high;
  int64_t multiple_of = 0;  // 0: any; whole numbers only
  bool whole = false;
};

// kInvalidArgument for bounds that 15 digits cannot say.
Result<StateId> NumberIn(Grammar& grammar, const NumberRange& range, StateId next);

}  // namespace portcullis::inference::grammar
