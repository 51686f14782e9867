// The functions of the template language that stand alone.
#include <algorithm>
#include <cmath>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference::jinja {
namespace {

constexpr std::string_view kFunctions[] = {"raise_exception", "strftime_now", "range", "namespace",
                                           "dict"};
constexpr size_t kMaxFormat = 100;
constexpr size_t kMaxRefusal = 200;  // bytes of the template's own words

Error Refusal(const Value& words) {
  const auto text = words.text();
  const bool own = text && !text->any_from_data();
  return Error{Code::kBadTemplate,
               "the model's chat template cannot express these messages: " +
                   (own ? std::string(text->bytes.substr(0, kMaxRefusal)) : "it refuses them")};
}

Result<Value> Today(const Value* format, std::time_t now) {
  const auto words = format == nullptr ? std::nullopt : format->text();
  if (words && words->bytes.size() > kMaxFormat) return Misuse("strftime_now with a format above 100 bytes");
  const std::string pattern(words ? words->bytes : "%Y-%m-%d");
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[128] = {};
  std::strftime(text, sizeof text, pattern.c_str(), &parts);
  return Value::Of(Text(text, false));
}

Result<Value> Range(const Arguments& arguments, Meter& meter) {
  constexpr double kFar = 1e6;
  const auto whole = [&](size_t i, double absent) {
    const Value* value = arguments.Get(i);
    const double number = value == nullptr ? absent : value->number();
    return std::isnan(number) ? int64_t{0} : static_cast<int64_t>(std::clamp(number, -kFar, kFar));
  };
  const bool two = arguments.values.size() > 1;
  const int64_t begin = two ? whole(0, 0) : 0;
  const int64_t end = whole(two ? 1 : 0, 0);
  const int64_t step = whole(2, 1);
  if (step == 0) return Misuse("range with step 0");
  List list;
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    BOOST_OUTCOME_TRY(meter.Steps(1));
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    list.push_back(Value::Of(i));
  }
  return Value::Of(std::move(list));
}

}  // namespace

std::optional<std::string_view> FindFunction(std::string_view name) {
  const auto found = std::find(std::begin(kFunctions), std::end(kFunctions), name);
  return found == std::end(kFunctions) ? std::nullopt : std::optional(*found);
}

Result<Value> CallFunction(std::string_view name, const Arguments& arguments, std::time_t now,
                           Meter& meter) {
  const Value* first = arguments.Get(0);
  if (name == "raise_exception") return Refusal(first == nullptr ? Value() : *first);
  if (name == "strftime_now") return Today(first, now);
  if (name == "range") return Range(arguments, meter);
  Dict dict;
  for (const auto& [key, value] : arguments.named) {
    if (name == "namespace" && value.shape().holds_namespace) {
      return Misuse("a namespace cannot hold a namespace");
    }
    BOOST_OUTCOME_TRY(ChargeLookup(dict, key, meter));
    dict.Set(Text(key, false), value);
  }
  if (name == "dict") return Value::Of(std::move(dict));
  auto space = std::make_shared<Namespace>();
  space->members = std::move(dict);
  return Value(std::move(space));
}

}  // namespace portcullis::inference::jinja
