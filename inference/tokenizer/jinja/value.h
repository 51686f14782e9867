// Values of the chat template language (Jinja, the subset that models' templates use). A string
// remembers for each of its bytes whether the template wrote it or the caller's data did, through
// concatenation, slicing and filters: that is how a caller's text stays ordinary text however a
// template passes it around. Values are shared, cheap to copy; not thread-safe.
// INVARIANT: no value holds itself, so that sharing frees everything. A container changes only
// while nothing but variables and namespaces holds it, and what a namespace holds contains no
// namespace.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace portcullis::inference::jinja {

struct Text;
// Bytes and marks of a text, or of a part of it, that somebody else keeps.
struct TextView {
  std::string_view bytes;
  std::string_view marks;

  TextView(std::string_view b, std::string_view m) : bytes(b), marks(m) {}
  TextView(const Text& text);
  TextView Slice(size_t begin, size_t count = std::string_view::npos) const {
    return {bytes.substr(begin, count), marks.substr(begin, count)};
  }
  bool any_from_data() const { return marks.find('\1') != std::string_view::npos; }
};

struct Text {
  std::string bytes;
  std::string marks;  // as long as `bytes`: 1 where the caller's data wrote the byte

  Text() = default;
  Text(std::string_view text, bool from_data) : bytes(text), marks(text.size(), from_data) {}

  void Append(const TextView& other) {
    bytes += other.bytes;
    marks += other.marks;
  }
  bool any_from_data() const { return TextView(*this).any_from_data(); }
};
inline TextView::TextView(const Text& text) : bytes(text.bytes), marks(text.marks) {}

class Value;
struct Undefined {};
struct None {};
using List = std::vector<Value>;

// What containers know of their contents.
struct Shape {
  uint32_t height = 1;  // levels of containers, this one included
  bool holds_namespace = false;
  void Include(const Value& element);
};

// In the order of writing. `source`: what tool arguments looked like as a JSON text; such a
// dictionary is written in that form where a template writes it like a string.
struct Dict {
  std::vector<std::pair<Text, Value>> items;
  std::string source;
  Shape shape;  // set once it is a value
  const Value* Find(std::string_view key) const;
  void Set(const Text& key, Value value);
};
struct Namespace {
  Dict members;
};
struct Array {
  List items;
  Shape shape;
  bool sealed = false;  // part of another container: grows no more
};
// A part of a buffer that other texts may share. `growable`: made by joining, so that the text at
// its end can be joined to in place; what others see of it stays as it is.
struct Buffer {
  Text text;
  bool growable = false;
};
struct Piece {
  std::shared_ptr<Buffer> buffer;
  size_t begin = 0;
  size_t size = 0;
};
struct Node;
// A macro of the template, a function by name, or the name of a method (which can only be called
// where it is named).
struct Callable {
  const Node* macro = nullptr;
  std::string_view name;
  bool is_method = false;
};

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, Piece, std::shared_ptr<Array>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, Callable>;
  Data data;

  Value() = default;
  Value(Data d) : data(std::move(d)) {}
  static Value Of(Text text);
  static Value Of(bool value) { return Value(Data(value)); }
  static Value Of(int64_t value) { return Value(Data(value)); }
  // Containers seal the lists in them.
  static Value Of(List list);
  static Value Of(Dict dict);
  static Value Null() { return Value(Data(None{})); }
  // All strings of it, keys too, are the caller's.
  static Value FromJson(const boost::json::value& json);
  static Dict DictFromJson(const boost::json::object& json);

  template <class T>
  bool Is() const {
    return std::holds_alternative<T>(data);
  }
  // Valid until some text is joined to this one.
  std::optional<TextView> text() const;
  const List* list() const;
  const Dict* dict() const;
  Namespace* space() const;
  bool is_number() const { return Is<int64_t>() || Is<double>() || Is<bool>(); }
  double number() const;
  bool truthy() const;
  Shape shape() const;  // height 0: no container
  const char* type_name() const;

  // Of a text only: a part of it, without copying.
  Value Part(size_t begin, size_t count = std::string::npos) const;
  // Of a list only; false where it is sealed, or where it would come to hold itself.
  bool Append(const Value& element);
};

}  // namespace portcullis::inference::jinja
