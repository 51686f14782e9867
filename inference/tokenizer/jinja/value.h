// Values of the chat template language (Jinja, the subset that models' templates use). A string
// remembers for each of its bytes whether the template wrote it or the caller's data did, through
// concatenation, slicing and filters: that is how a caller's text stays ordinary text however a
// template passes it around. Values are shared, cheap to copy; not thread-safe.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace portcullis::inference::jinja {

struct Text {
  std::string bytes;
  std::string marks;  // as long as `bytes`: 1 where the caller's data wrote the byte

  Text() = default;
  Text(std::string_view text, bool from_data) : bytes(text), marks(text.size(), from_data) {}

  Text Slice(size_t begin, size_t count = std::string::npos) const;
  void Append(const Text& other);
  bool any_from_data() const { return marks.find('\1') != std::string::npos; }
};

class Value;
struct Undefined {};
struct None {};
using List = std::vector<Value>;
// In the order of writing. `source`: what tool arguments looked like as a JSON text; such a
// dictionary is written in that form where a template writes it like a string.
struct Dict {
  std::vector<std::pair<Text, Value>> items;
  std::string source;
  const Value* Find(std::string_view key) const;
  void Set(const Text& key, Value value);
};
struct Node;
// A macro of the template, or a built-in function or method by name with what it belongs to.
struct Callable {
  const Node* macro = nullptr;
  std::string name;
  std::shared_ptr<Value> self;
};

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
                            std::shared_ptr<List>, std::shared_ptr<Dict>, Callable>;
  Data data;

  Value() = default;
  Value(Data d) : data(std::move(d)) {}
  static Value Of(Text text) { return Value(std::make_shared<const Text>(std::move(text))); }
  static Value Of(bool value) { return Value(Data(value)); }
  static Value Of(int64_t value) { return Value(Data(value)); }
  static Value Of(List list) { return Value(std::make_shared<List>(std::move(list))); }
  static Value Of(Dict dict) { return Value(std::make_shared<Dict>(std::move(dict))); }
  static Value Null() { return Value(Data(None{})); }
  // All strings of it, keys too, are the caller's.
  static Value FromJson(const boost::json::value& json);

  template <class T>
  bool Is() const {
    return std::holds_alternative<T>(data);
  }
  const Text* text() const {
    const auto* p = std::get_if<std::shared_ptr<const Text>>(&data);
    return p == nullptr ? nullptr : p->get();
  }
  List* list() const {
    const auto* p = std::get_if<std::shared_ptr<List>>(&data);
    return p == nullptr ? nullptr : p->get();
  }
  Dict* dict() const {
    const auto* p = std::get_if<std::shared_ptr<Dict>>(&data);
    return p == nullptr ? nullptr : p->get();
  }
  bool is_number() const { return Is<int64_t>() || Is<double>() || Is<bool>(); }
  double number() const;
  bool truthy() const;
  bool Equals(const Value& other) const;
  // As the template would print it; an undefined value prints nothing.
  Text ToText() const;
  const char* type_name() const;
};

// Python's json.dumps without ASCII escapes; `indent` below 0: on one line, with ", " and ": ".
// The result counts as the caller's where any part of the value does.
Text ToJson(const Value& value, int64_t indent);

}  // namespace portcullis::inference::jinja
