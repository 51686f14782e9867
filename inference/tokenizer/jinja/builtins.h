// Filters, tests, methods and helper functions of the template language: those that chat templates
// use, with Python's meaning. One that is unknown is an error that names it. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/jinja/value.h"

namespace portcullis::inference::jinja {

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;
  // The one at `index` or called `name`; null where neither was given.
  const Value* Get(size_t index, std::string_view name = {}) const;
};

Result<Value> ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments);
Result<bool> ApplyTest(std::string_view name, const Value& input, const Arguments& arguments);
bool HasMethod(const Value& self, std::string_view name);
Result<Value> CallMethod(const Value& self, std::string_view name, const Arguments& arguments);

// What a loop sees: elements, keys, or characters. An error for what cannot be looped over.
Result<List> Elements(const Value& value);
// Member or element; undefined where there is none.
Value Item(const Value& object, const Value& key);
Result<Value> SliceOf(const Value& object, const Value& begin, const Value& end, const Value& step);
// The value of a binary expression, its operator in `node.name`; not for `and` and `or`.
struct Node;
Result<Value> Combine(const Node& node, const Value& left, const Value& right);
bool Contains(const Value& container, const Value& element);

enum class Side { kLeft, kRight, kBoth };
// Without the characters of `set` at its ends; an empty set means white space.
Text Strip(const Text& text, std::string_view set, Side side);

Error Misuse(const std::string& what);

}  // namespace portcullis::inference::jinja
