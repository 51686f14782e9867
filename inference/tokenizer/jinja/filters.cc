#include <algorithm>
#include <charconv>
#include <cmath>

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::jinja {
namespace {

int64_t Length(const Value& value) {
  if (const Text* text = value.text()) {
    int64_t count = 0;
    for (const char c : text->bytes) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return count;
  }
  if (const List* list = value.list()) return static_cast<int64_t>(list->size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  return 0;
}

bool Less(const Value& a, const Value& b) {
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->bytes < b.text()->bytes;
  return a.number() < b.number();
}

Value ToNumber(const Value& value, bool whole) {
  double number = value.number();
  if (const Text* text = value.text()) {
    const std::string bytes = Strip(*text, "", Side::kBoth).bytes;
    const char* end = bytes.data() + bytes.size();
    if (std::from_chars(bytes.data(), end, number).ptr != end) number = 0;
  }
  if (!whole) return Value(Value::Data(number));
  if (!(std::fabs(number) < 9e18)) return Value::Of(int64_t{0});
  return Value::Of(static_cast<int64_t>(number));
}

Text Indent(const Text& text, const Arguments& arguments) {
  const Value* width = arguments.Get(0, "width");
  const Value* first = arguments.Get(1, "first");
  const double wanted = width == nullptr ? 4 : width->number();
  const auto count = static_cast<size_t>(std::clamp(wanted, 0.0, 64.0));
  const Text pad(std::string(count, ' '), false);
  Text out;
  bool line_start = first != nullptr && first->truthy();
  for (size_t at = 0; at < text.bytes.size(); ++at) {
    if (line_start && text.bytes[at] != '\n') out.Append(pad);
    out.Append(text.Slice(at, 1));
    line_start = text.bytes[at] == '\n';
  }
  return out;
}

// `a.b` steps into members.
Value Attribute(const Value& item, const Value& path) {
  if (path.text() == nullptr) return Item(item, path);
  Value value = item;
  std::string_view rest = path.text()->bytes;
  for (;;) {
    const size_t dot = rest.find('.');
    value = Item(value, Value::Of(Text(rest.substr(0, dot), false)));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

Arguments From(const Arguments& arguments, size_t first) {
  Arguments rest;
  for (size_t i = first; i < arguments.values.size(); ++i) rest.values.push_back(arguments.values[i]);
  rest.named = arguments.named;
  return rest;
}

Result<Value> Map(const Value& input, const Arguments& arguments) {
  BOOST_OUTCOME_TRY(const List all, Elements(input));
  const Value* attribute = arguments.Get(SIZE_MAX, "attribute");
  const Value* filter = arguments.Get(0);
  if (attribute == nullptr && (filter == nullptr || filter->text() == nullptr)) {
    return Misuse("`map` needs an attribute or a filter");
  }
  List out;
  for (const Value& item : all) {
    if (attribute != nullptr) {
      out.push_back(Attribute(item, *attribute));
      continue;
    }
    BOOST_OUTCOME_TRY(auto mapped, ApplyFilter(filter->text()->bytes, item, From(arguments, 1)));
    out.push_back(std::move(mapped));
  }
  return Value::Of(std::move(out));
}

// select, reject, selectattr, rejectattr.
Result<Value> Select(const Value& input, const Arguments& arguments, bool by_attribute, bool keep) {
  BOOST_OUTCOME_TRY(const List all, Elements(input));
  const Value* attribute = by_attribute ? arguments.Get(0) : nullptr;
  if (by_attribute && attribute == nullptr) return Misuse("`selectattr` needs an attribute");
  const size_t skip = by_attribute ? 1 : 0;
  const Value* test = arguments.Get(skip);
  if (test != nullptr && test->text() == nullptr) return Misuse("the name of a test is not a string");
  List out;
  for (const Value& item : all) {
    const Value subject = by_attribute ? Attribute(item, *attribute) : item;
    bool good = subject.truthy();
    if (test != nullptr) {
      BOOST_OUTCOME_TRY(good, ApplyTest(test->text()->bytes, subject, From(arguments, skip + 1)));
    }
    if (good == keep) out.push_back(item);
  }
  return Value::Of(std::move(out));
}

Result<Value> Join(const Value& input, const Arguments& arguments) {
  BOOST_OUTCOME_TRY(const List all, Elements(input));
  const Value* separator = arguments.Get(0, "d");
  const Value* attribute = arguments.Get(1, "attribute");
  Text out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && separator != nullptr) out.Append(separator->ToText());
    out.Append((attribute == nullptr ? all[i] : Attribute(all[i], *attribute)).ToText());
  }
  return Value::Of(std::move(out));
}

Result<Value> Ordered(std::string_view name, const Value& input, const Arguments& arguments) {
  BOOST_OUTCOME_TRY(List all, Elements(input));
  if (name == "reverse") {
    std::reverse(all.begin(), all.end());
    if (input.text() == nullptr) return Value::Of(std::move(all));
    return Join(Value::Of(std::move(all)), {});
  }
  if (name == "unique") {
    List out;
    for (const Value& item : all) {
      if (!Contains(Value::Of(List(out)), item)) out.push_back(item);
    }
    return Value::Of(std::move(out));
  }
  const Value* attribute = arguments.Get(SIZE_MAX, "attribute");
  const Value* backwards = arguments.Get(0, "reverse");
  const auto key = [&](const Value& item) {
    if (name == "dictsort") return Item(item, Value::Of(int64_t{0}));
    return attribute == nullptr ? item : Attribute(item, *attribute);
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const Value& a, const Value& b) { return Less(key(a), key(b)); });
  if (backwards != nullptr && backwards->truthy()) std::reverse(all.begin(), all.end());
  return Value::Of(std::move(all));
}

Result<Value> Default(const Value& input, const Arguments& arguments) {
  const Value* other = arguments.Get(0, "default_value");
  const Value* falsy = arguments.Get(1, "boolean");
  const bool use = input.Is<Undefined>() || (falsy != nullptr && falsy->truthy() && !input.truthy());
  if (!use) return input;
  return other == nullptr ? Value::Of(Text()) : *other;
}

Result<Value> Round(const Value& input, const Arguments& arguments) {
  const Value* digits = arguments.Get(0, "precision");
  const double scale = std::pow(10.0, digits == nullptr ? 0 : digits->number());
  return Value(Value::Data(std::nearbyint(input.number() * scale) / scale));
}

bool Compare(std::string_view name, const Value& a, const Value& b) {
  if (name == "gt" || name == "greaterthan") return Less(b, a);
  if (name == "ge") return !Less(a, b);
  if (name == "lt" || name == "lessthan") return Less(a, b);
  return !Less(b, a);
}

}  // namespace

Result<Value> ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments) {
  const Text* text = input.text();
  if (name == "tojson") {
    const Value* indent = arguments.Get(0, "indent");
    const bool given = indent != nullptr && indent->Is<int64_t>();
    return Value::Of(ToJson(input, given ? std::clamp<int64_t>(std::get<int64_t>(indent->data), 0, 16) : -1));
  }
  if (name == "trim") return Value::Of(Strip(input.ToText(), "", Side::kBoth));
  if (name == "length" || name == "count") return Value::Of(Length(input));
  if (name == "default" || name == "d") return Default(input, arguments);
  if (name == "string") return text != nullptr ? input : Value::Of(input.ToText());
  if (name == "safe" || name == "e" || name == "escape") return input;
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" || name == "replace") {
    return CallMethod(Value::Of(input.ToText()), name, arguments);
  }
  if (name == "indent") return Value::Of(Indent(input.ToText(), arguments));
  if (name == "int" || name == "float") return ToNumber(input, name == "int");
  if (name == "abs") {
    if (input.Is<int64_t>()) return Value::Of(std::abs(std::get<int64_t>(input.data)));
    return Value(Value::Data(std::fabs(input.number())));
  }
  if (name == "round") return Round(input, arguments);
  if (name == "items" || name == "dictsort") {
    if (input.dict() == nullptr && !input.Is<Undefined>()) return Misuse("`items` needs a dictionary");
    BOOST_OUTCOME_TRY(const Value pairs, input.dict() == nullptr ? Result<Value>(Value::Of(List{}))
                                                                 : CallMethod(input, "items", {}));
    return name == "items" ? Result<Value>(pairs) : Ordered(name, pairs, arguments);
  }
  if (name == "list") {
    BOOST_OUTCOME_TRY(List all, Elements(input));
    return Value::Of(std::move(all));
  }
  if (name == "first" || name == "last") {
    BOOST_OUTCOME_TRY(const List all, Elements(input));
    return all.empty() ? Value() : name == "first" ? all.front() : all.back();
  }
  if (name == "join") return Join(input, arguments);
  if (name == "map") return Map(input, arguments);
  if (name == "select" || name == "reject") return Select(input, arguments, false, name == "select");
  if (name == "selectattr" || name == "rejectattr") {
    return Select(input, arguments, true, name == "selectattr");
  }
  if (name == "sort" || name == "reverse" || name == "unique") return Ordered(name, input, arguments);
  return Misuse("the filter `" + std::string(name.substr(0, 40)) + "` is not supported");
}

Result<bool> ApplyTest(std::string_view name, const Value& input, const Arguments& arguments) {
  const Value* other = arguments.Get(0);
  if (name == "defined") return !input.Is<Undefined>();
  if (name == "undefined") return input.Is<Undefined>();
  if (name == "none") return input.Is<None>();
  if (name == "string") return input.text() != nullptr;
  if (name == "mapping") return input.dict() != nullptr;
  if (name == "sequence" || name == "iterable") {
    return input.list() != nullptr || input.text() != nullptr || input.dict() != nullptr;
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
    BOOST_OUTCOME_TRY(const Value cased, CallMethod(Value::Of(input.ToText()), name, {}));
    return cased.Equals(Value::Of(input.ToText()));
  }
  if (other == nullptr) return Misuse("the test `" + std::string(name.substr(0, 40)) + "` is not supported");
  if (name == "equalto" || name == "eq" || name == "sameas") return input.Equals(*other);
  if (name == "ne") return !input.Equals(*other);
  if (name == "in") return Contains(*other, input);
  if (name == "divisibleby") {
    return other->number() != 0 && std::fmod(input.number(), other->number()) == 0;
  }
  if (name == "gt" || name == "ge" || name == "lt" || name == "le" || name == "greaterthan" ||
      name == "lessthan") {
    return Compare(name, input, *other);
  }
  return Misuse("the test `" + std::string(name.substr(0, 40)) + "` is not supported");
}

}  // namespace portcullis::inference::jinja
