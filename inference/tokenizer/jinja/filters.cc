#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference::jinja {
namespace {

Value ToNumber(const Value& value, bool whole) {
  double number = value.number();
  if (value.text()) {
    const Value stripped = Strip(value, "", Side::kBoth);
    const std::string_view bytes = stripped.text()->bytes;
    const char* end = bytes.data() + bytes.size();
    const auto [stop, error] = std::from_chars(bytes.data(), end, number);
    if (stop != end || error != std::errc()) number = 0;
  }
  if (!whole) return Value(Value::Data(number));
  if (!(std::fabs(number) < 9e18)) return Value::Of(int64_t{0});
  return Value::Of(static_cast<int64_t>(number));
}

Result<Value> Indent(const TextView& text, const Arguments& arguments, Meter& meter) {
  const Value* width = arguments.Get(0, "width");
  const Value* first = arguments.Get(1, "first");
  const double wanted = width == nullptr ? 4 : width->number();
  const auto count = wanted > 0 ? static_cast<size_t>(std::min(wanted, 64.0)) : size_t{0};
  const Text pad(std::string(count, ' '), false);
  Text out;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t next = std::min(text.bytes.find('\n', at), text.bytes.size() - 1) + 1;
    const bool padded = text.bytes[at] != '\n' && (at > 0 || (first != nullptr && first->truthy()));
    BOOST_OUTCOME_TRY(meter.MakeText(next - at + count));
    if (padded) out.Append(pad);
    out.Append(text.Slice(at, next - at));
    at = next;
  }
  return Value::Of(std::move(out));
}

// `a.b` steps into members.
Result<Value> Attribute(const Value& item, const Value& path, Meter& meter) {
  BOOST_OUTCOME_TRY(meter.Steps(1));
  if (!path.text()) return Item(item, path, meter);
  Value value = item;
  std::string_view rest = path.text()->bytes;
  for (;;) {
    BOOST_OUTCOME_TRY(meter.Steps(1));
    const size_t dot = rest.find('.');
    BOOST_OUTCOME_TRY(value, Member(value, rest.substr(0, dot), meter));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

Arguments From(const Arguments& arguments, size_t first) {
  Arguments rest;
  for (size_t i = first; i < arguments.values.size(); ++i)
    rest.values.push_back(arguments.values[i]);
  rest.named = arguments.named;
  return rest;
}

Result<Value> Map(const Value& input, const Arguments& arguments, Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  const Value* attribute = arguments.Get(SIZE_MAX, "attribute");
  const Value* filter = arguments.Get(0);
  if (attribute == nullptr && (filter == nullptr || !filter->text())) {
    return Misuse("`map` needs an attribute or a filter");
  }
  const Arguments rest = From(arguments, 1);
  List out;
  for (const Value& item : *all.list()) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    BOOST_OUTCOME_TRY(auto mapped, attribute != nullptr
                                       ? Attribute(item, *attribute, meter)
                                       : ApplyFilter(filter->text()->bytes, item, rest, meter));
    out.push_back(std::move(mapped));
  }
  return Value::Of(std::move(out));
}

// select, reject, selectattr, rejectattr.
Result<Value> Select(const Value& input, const Arguments& arguments, bool by_attribute, bool keep,
                     Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  const Value* attribute = by_attribute ? arguments.Get(0) : nullptr;
  if (by_attribute && attribute == nullptr) return Misuse("`selectattr` needs an attribute");
  const size_t skip = by_attribute ? 1 : 0;
  const Value* test = arguments.Get(skip);
  if (test != nullptr && !test->text()) return Misuse("the name of a test is not a string");
  const Arguments rest = From(arguments, skip + 1);
  List out;
  for (const Value& item : *all.list()) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    Value subject = item;
    if (by_attribute) {
      BOOST_OUTCOME_TRY(subject, Attribute(item, *attribute, meter));
    }
    bool good = subject.truthy();
    if (test != nullptr) {
      BOOST_OUTCOME_TRY(good, ApplyTest(test->text()->bytes, subject, rest, meter));
    }
    if (good == keep) out.push_back(item);
  }
  return Value::Of(std::move(out));
}

Result<Value> Join(const Value& input, const Arguments& arguments, Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  const Value* separator = arguments.Get(0, "d");
  const Value* attribute = arguments.Get(1, "attribute");
  Text out;
  const auto add = [&](const Value& value) -> Result<void> {
    BOOST_OUTCOME_TRY(const Value printed, Printed(value, meter));
    BOOST_OUTCOME_TRY(meter.MakeText(printed.text()->bytes.size()));
    out.Append(*printed.text());
    return boost::outcome_v2::success();
  };
  for (size_t i = 0; i < all.list()->size(); ++i) {
    BOOST_OUTCOME_TRY(meter.Steps(1));
    if (i > 0 && separator != nullptr) {
      BOOST_OUTCOME_TRY(add(*separator));
    }
    Value item = (*all.list())[i];
    if (attribute != nullptr) {
      BOOST_OUTCOME_TRY(item, Attribute(item, *attribute, meter));
    }
    BOOST_OUTCOME_TRY(add(item));
  }
  return Value::Of(std::move(out));
}

Result<Value> Reverse(const Value& input, Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  BOOST_OUTCOME_TRY(meter.Make(all.list()->size() * sizeof(Value)));
  Value reversed = Value::Of(List(all.list()->rbegin(), all.list()->rend()));
  return input.text() ? Join(reversed, {}, meter) : Result<Value>(std::move(reversed));
}

Result<Value> Unique(const Value& input, Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  List out;
  for (const Value& item : *all.list()) {
    bool found = false;
    for (size_t i = 0; i < out.size() && !found; ++i) {
      BOOST_OUTCOME_TRY(found, Equal(out[i], item, meter));
    }
    if (found) continue;
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    out.push_back(item);
  }
  return Value::Of(std::move(out));
}

// Pays for the longest comparison as often as there may be comparisons, before the first.
Result<Value> Sort(const Value& input, const Arguments& arguments, bool by_key, Meter& meter) {
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  const Value* attribute = arguments.Get(SIZE_MAX, "attribute");
  const Value* backwards = arguments.Get(0, "reverse");
  const List& items = *all.list();
  BOOST_OUTCOME_TRY(meter.Make(items.size() * sizeof(std::pair<Value, Value>)));
  std::vector<std::pair<Value, Value>> keyed;  // by what, what
  size_t longest = 0;
  for (const Value& item : items) {
    Value key = item;
    if (by_key) {
      BOOST_OUTCOME_TRY(key, Item(item, Value::Of(int64_t{0}), meter));
    } else if (attribute != nullptr) {
      BOOST_OUTCOME_TRY(key, Attribute(item, *attribute, meter));
    }
    if (const auto text = key.text()) longest = std::max(longest, text->bytes.size());
    keyed.emplace_back(std::move(key), item);
  }
  const auto rounds = static_cast<uint64_t>(std::bit_width(items.size()));
  BOOST_OUTCOME_TRY(meter.Steps(items.size() * rounds * (1 + longest / Meter::kBytesPerStep)));
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return IsBefore(a.first, b.first); });
  if (backwards != nullptr && backwards->truthy()) std::reverse(keyed.begin(), keyed.end());
  List out;
  for (auto& [key, item] : keyed) out.push_back(std::move(item));
  return Value::Of(std::move(out));
}

Result<Value> Default(const Value& input, const Arguments& arguments) {
  const Value* other = arguments.Get(0, "default_value");
  const Value* falsy = arguments.Get(1, "boolean");
  const bool use =
      input.Is<Undefined>() || (falsy != nullptr && falsy->truthy() && !input.truthy());
  if (!use) return input;
  return other == nullptr ? Value::Of(Text()) : *other;
}

Result<Value> Round(const Value& input, const Arguments& arguments) {
  const Value* digits = arguments.Get(0, "precision");
  const double scale = std::pow(10.0, digits == nullptr ? 0 : digits->number());
  return Value(Value::Data(std::nearbyint(input.number() * scale) / scale));
}

Value Absolute(const Value& input) {
  if (!input.Is<int64_t>()) return Value(Value::Data(std::fabs(input.number())));
  const int64_t number = std::get<int64_t>(input.data);
  if (number == std::numeric_limits<int64_t>::min()) return Value(Value::Data(-input.number()));
  return Value::Of(std::abs(number));
}

Result<Value> Pairs(const Value& input, Meter& meter) {
  if (input.Is<Undefined>()) return Value::Of(List{});
  if (input.dict() == nullptr) return Misuse("`items` needs a dictionary");
  return CallMethod(input, "items", {}, meter);
}

Result<Value> Json(const Value& input, const Arguments& arguments, Meter& meter) {
  const Value* indent = arguments.Get(0, "indent");
  const bool given = indent != nullptr && indent->Is<int64_t>();
  BOOST_OUTCOME_TRY(
      auto text,
      ToJson(input, given ? std::clamp<int64_t>(std::get<int64_t>(indent->data), 0, 16) : -1,
             meter));
  return Value::Of(std::move(text));
}

// Those that take their input as a text.
Result<Value> TextFilter(std::string_view name, const Value& input, const Arguments& arguments,
                         Meter& meter) {
  BOOST_OUTCOME_TRY(const Value text, Printed(input, meter));
  if (name == "string") return text;
  if (name == "trim") return CallMethod(text, "strip", {}, meter);
  if (name == "indent") return Indent(*text.text(), arguments, meter);
  return CallMethod(text, name, arguments, meter);
}

// Those that take their input as a list.
Result<Value> ListFilter(std::string_view name, const Value& input, const Arguments& arguments,
                         Meter& meter) {
  if (name == "join") return Join(input, arguments, meter);
  if (name == "map") return Map(input, arguments, meter);
  if (name == "select" || name == "reject") {
    return Select(input, arguments, false, name == "select", meter);
  }
  if (name == "selectattr" || name == "rejectattr") {
    return Select(input, arguments, true, name == "selectattr", meter);
  }
  if (name == "reverse") return Reverse(input, meter);
  if (name == "unique") return Unique(input, meter);
  if (name == "sort") return Sort(input, arguments, false, meter);
  const bool first = name == "first";
  if ((first || name == "last") && input.text()) {
    return Item(input, Value::Of(int64_t{first ? 0 : -1}), meter);
  }
  BOOST_OUTCOME_TRY(const Value all, Elements(input, meter));
  const List& items = *all.list();
  if (first || name == "last") {
    return items.empty() ? Value() : first ? items.front() : items.back();
  }
  if (name == "list") {
    BOOST_OUTCOME_TRY(meter.Make(items.size() * sizeof(Value)));
    return Value::Of(List(items));
  }
  return Misuse("the filter `" + std::string(name.substr(0, 40)) + "` is not supported");
}

}  // namespace

Result<Value> ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments,
                          Meter& meter) {
  BOOST_OUTCOME_TRY(meter.Steps(1));
  if (name == "tojson") return Json(input, arguments, meter);
  if (name == "length" || name == "count") {
    BOOST_OUTCOME_TRY(const int64_t length, Length(input, meter));
    return Value::Of(length);
  }
  if (name == "default" || name == "d") return Default(input, arguments);
  if (name == "safe" || name == "e" || name == "escape") return input;
  if (name == "int" || name == "float") return ToNumber(input, name == "int");
  if (name == "abs") return Absolute(input);
  if (name == "round") return Round(input, arguments);
  if (name == "items") return Pairs(input, meter);
  if (name == "dictsort") {
    BOOST_OUTCOME_TRY(const Value pairs, Pairs(input, meter));
    return Sort(pairs, arguments, true, meter);
  }
  if (IsOneOf(name,
              {"string", "trim", "indent", "upper", "lower", "title", "capitalize", "replace"})) {
    return TextFilter(name, input, arguments, meter);
  }
  return ListFilter(name, input, arguments, meter);
}

}  // namespace portcullis::inference::jinja
