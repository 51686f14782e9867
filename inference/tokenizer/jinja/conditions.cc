// The tests of the template language: what stands behind `is`, and in `select`.
#include <algorithm>
#include <cmath>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference::jinja {
namespace {

Result<bool> Less(const Value& a, const Value& b, Meter& meter) {
  const auto x = a.text(), y = b.text();
  if (x && y) {
    BOOST_OUTCOME_TRY(meter.Read(std::min(x->bytes.size(), y->bytes.size())));
  }
  return IsBefore(a, b);
}

Result<bool> Compare(std::string_view name, const Value& a, const Value& b, Meter& meter) {
  if (name == "gt" || name == "greaterthan") return Less(b, a, meter);
  if (name == "lt" || name == "lessthan") return Less(a, b, meter);
  BOOST_OUTCOME_TRY(const bool other, name == "ge" ? Less(a, b, meter) : Less(b, a, meter));
  return !other;
}

}  // namespace

bool IsBefore(const Value& a, const Value& b) {
  const auto x = a.text(), y = b.text();
  return x && y ? x->bytes < y->bytes : a.number() < b.number();
}

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<bool> ApplyTest(std::string_view name, const Value& input, const Arguments& arguments,
                       Meter& meter) {
  BOOST_OUTCOME_TRY(meter.Steps(1));
  const Value* other = arguments.Get(0);
  if (name == "defined") return !input.Is<Undefined>();
  if (name == "undefined") return input.Is<Undefined>();
  if (name == "none") return input.Is<None>();
  if (name == "string") return input.text().has_value();
  if (name == "mapping") return input.dict() != nullptr;
  if (name == "sequence" || name == "iterable") {
    return input.list() != nullptr || input.text() || input.dict() != nullptr;
  }
  if (name == "boolean") return input.Is<bool>();
  if (name == "integer") return input.Is<int64_t>();
  if (name == "float") return input.Is<double>();
  if (name == "number") return input.is_number();
  if (name == "true" || name == "True") return input.Is<bool>() && input.truthy();
  if (name == "false" || name == "False") return input.Is<bool>() && !input.truthy();
  if (name == "callable") return input.Is<Callable>();
  if (name == "odd" || name == "even") {
    if (!input.Is<int64_t>()) return Misuse("`odd` and `even` need a whole number");
    return (std::get<int64_t>(input.data) % 2 != 0) == (name == "odd");
  }
  if (name == "lower" || name == "upper") {
    BOOST_OUTCOME_TRY(const Value text, Printed(input, meter));
    BOOST_OUTCOME_TRY(const Value cased, CallMethod(text, name, {}, meter));
    return Equal(cased, text, meter);
  }
  if (other == nullptr)
    return Misuse("the test `" + std::string(name.substr(0, 40)) + "` is not supported");
  if (name == "equalto" || name == "eq" || name == "sameas") return Equal(input, *other, meter);
  if (name == "ne") {
    BOOST_OUTCOME_TRY(const bool same, Equal(input, *other, meter));
    return !same;
  }
  if (name == "in") return Contains(*other, input, meter);
  if (name == "divisibleby") {
    return other->number() != 0 && std::fmod(input.number(), other->number()) == 0;
  }
  if (IsOneOf(name, {"gt", "ge", "lt", "le", "greaterthan", "lessthan"})) {
    return Compare(name, input, *other, meter);
  }
  return Misuse("the test `" + std::string(name.substr(0, 40)) + "` is not supported");
}

}  // namespace portcullis::inference::jinja
