// Filters, tests, methods, functions and operators of the template language: those that chat
// templates use, with Python's meaning. One that is unknown is an error that names it. Each charges
// the meter before it does work that grows with its input. Pure functions, but for `append`.
#pragma once

#include <ctime>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/jinja/meter.h"
#include "inference/tokenizer/jinja/value.h"

namespace portcullis::inference::jinja {

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;
  // The one at `index` or called `name`; null where neither was given.
  const Value* Get(size_t index, std::string_view name = {}) const;
};

Result<Value> ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments,
                          Meter& meter);
Result<bool> ApplyTest(std::string_view name, const Value& input, const Arguments& arguments,
                       Meter& meter);
// Texts by their bytes, all else by number.
bool IsBefore(const Value& a, const Value& b);
bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names);
bool HasMethod(const Value& self, std::string_view name);
Result<Value> CallMethod(const Value& self, std::string_view name, const Arguments& arguments,
                         Meter& meter);
// The function of that name where there is one; a view of a constant.
std::optional<std::string_view> FindFunction(std::string_view name);
Result<Value> CallFunction(std::string_view name, const Arguments& arguments, std::time_t now,
                           Meter& meter);

// items.cc: what containers and texts consist of.
// What a loop sees, as a list: elements, keys, or characters.
Result<Value> Elements(const Value& value, Meter& meter);
// Member or element; undefined where there is none.
Result<Value> Item(const Value& object, const Value& key, Meter& meter);
Result<Value> Member(const Value& object, std::string_view name, Meter& meter);
// What finding or setting a key costs: to be asked before each Find and Set of a Dict.
Result<void> ChargeLookup(const Dict& dict, std::string_view key, Meter& meter);
Result<Value> SliceOf(const Value& object, const Value& begin, const Value& end, const Value& step,
                      Meter& meter);
Result<int64_t> Length(const Value& value, Meter& meter);  // of a text in characters
size_t CountCharacters(std::string_view text);

// operators.cc
// The value of a binary expression, its operator in `node.name`; not for `and` and `or`.
struct Node;
Result<Value> Combine(const Node& node, const Value& left, const Value& right, Meter& meter);
Result<bool> Contains(const Value& container, const Value& element, Meter& meter);
Result<bool> Equal(const Value& a, const Value& b, Meter& meter);
// Byte offset of `word`, or npos.
Result<size_t> FindText(std::string_view text, std::string_view word, Meter& meter);
// The same from an offset on, for those who have paid; linear in the text, however `word` looks.
size_t SearchText(std::string_view text, std::string_view word, size_t from);

// write.cc
// As the template would print it, a text; an undefined value prints nothing.
Result<Value> Printed(const Value& value, Meter& meter);
// Python's json.dumps without ASCII escapes; `indent` below 0: on one line, with ", " and ": ".
// The result counts as the caller's where any part of the value does.
Result<Text> ToJson(const Value& value, int64_t indent, Meter& meter);

enum class Side { kLeft, kRight, kBoth };
// Without the characters of `set` at its ends; an empty set means white space. `text` is a text.
Value Strip(const Value& text, std::string_view set, Side side);

Error Misuse(const std::string& what);

}  // namespace portcullis::inference::jinja
