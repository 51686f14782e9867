// Numbers between bounds, and multiples of a number, as states that read their decimal digits and know
// at each how the digits so far compare with those of the bounds and what is left of a division. At
// most 15 digits, so that every number is exact in a double; no exponents. Multiples are those of the
// decimal number that is written: 0.3 is one of 0.1, whatever a division of doubles says. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

struct Bound {
  double value = 0;
  bool exclusive = false;
};

// units / 10^decimals, without zeros at its end.
struct Multiple {
  int64_t units = 0;
  int decimals = 0;
};

struct NumberRange {
  std::optional<Bound> low, high;
  std::optional<Multiple> multiple_of;
  bool whole = false;
};

// None for what is not above zero, or has more than 15 digits.
std::optional<Multiple> MultipleFrom(const boost::json::value& number);
// The numbers that are multiples of both are those of this one; none where it has more than 15 digits.
std::optional<Multiple> Common(const Multiple& a, const Multiple& b);
bool IsMultiple(const boost::json::value& number, const Multiple& of);

// kInvalidArgument for bounds that 15 digits cannot say.
Result<StateId> NumberIn(Grammar& grammar, const NumberRange& range, StateId next);

}  // namespace portcullis::inference::grammar
