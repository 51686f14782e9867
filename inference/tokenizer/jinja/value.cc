#include "inference/tokenizer/jinja/value.h"

#include <algorithm>
#include <iterator>

namespace portcullis::inference::jinja {
namespace {

namespace json = boost::json;

// A list inside another container does not change any more.
void Take(Shape& shape, const Value& element) {
  shape.Include(element);
  if (const auto* array = std::get_if<std::shared_ptr<Array>>(&element.data))
    (*array)->sealed = true;
}

}  // namespace

void Shape::Include(const Value& element) {
  const Shape inner = element.shape();
  height = std::max(height, inner.height + 1);
  holds_namespace = holds_namespace || inner.holds_namespace;
}

const Value* Dict::Find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    if (name.bytes == key) return &value;
  }
  return nullptr;
}

void Dict::Set(const Text& key, Value value) {
  for (auto& [name, old] : items) {
    if (name.bytes == key.bytes) {
      old = std::move(value);
      return;
    }
  }
  items.emplace_back(key, std::move(value));
}

Value Value::Of(Text text) {
  const size_t size = text.bytes.size();
  return Value(Piece{std::make_shared<Buffer>(Buffer{std::move(text), false}), 0, size});
}

Value Value::Of(List list) {
  auto array = std::make_shared<Array>();
  array->items = std::move(list);
  for (const Value& item : array->items) Take(array->shape, item);
  return Value(std::move(array));
}

Value Value::Of(Dict dict) {
  dict.shape = {};
  for (const auto& [key, item] : dict.items) Take(dict.shape, item);
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

Dict Value::DictFromJson(const json::object& from) {
  Dict dict;
  for (const auto& [key, item] : from) dict.items.emplace_back(Text(key, true), FromJson(item));
  return dict;
}

Value Value::FromJson(const json::value& from) {
  switch (from.kind()) {
    case json::kind::null:
      return Null();
    case json::kind::bool_:
      return Of(from.get_bool());
    case json::kind::int64:
      return Of(from.get_int64());
    case json::kind::uint64:
      return Value(Data(static_cast<double>(from.get_uint64())));
    case json::kind::double_:
      return Value(Data(from.get_double()));
    case json::kind::string:
      return Of(Text(from.get_string(), true));
    case json::kind::array: {
      List list;
      list.reserve(from.get_array().size());
      for (const json::value& item : from.get_array()) list.push_back(FromJson(item));
      return Of(std::move(list));
    }
    case json::kind::object:
      return Of(DictFromJson(from.get_object()));
  }
  return Null();
}

std::optional<TextView> Value::text() const {
  const auto* piece = std::get_if<Piece>(&data);
  if (piece == nullptr) return std::nullopt;
  return TextView(piece->buffer->text).Slice(piece->begin, piece->size);
}

const List* Value::list() const {
  const auto* array = std::get_if<std::shared_ptr<Array>>(&data);
  return array == nullptr ? nullptr : &(*array)->items;
}

const Dict* Value::dict() const {
  const auto* dict = std::get_if<std::shared_ptr<const Dict>>(&data);
  return dict == nullptr ? nullptr : dict->get();
}

Namespace* Value::space() const {
  const auto* space = std::get_if<std::shared_ptr<Namespace>>(&data);
  return space == nullptr ? nullptr : space->get();
}

double Value::number() const {
  if (Is<bool>()) return std::get<bool>(data) ? 1 : 0;
  if (Is<int64_t>()) return static_cast<double>(std::get<int64_t>(data));
  return Is<double>() ? std::get<double>(data) : 0;
}

bool Value::truthy() const {
  if (is_number()) return number() != 0;
  if (const auto t = text()) return !t->bytes.empty();
  if (const List* l = list()) return !l->empty();
  if (const Dict* d = dict()) return !d->items.empty();
  return space() != nullptr || Is<Callable>();
}

Shape Value::shape() const {
  if (const auto* array = std::get_if<std::shared_ptr<Array>>(&data)) return (*array)->shape;
  if (const Dict* d = dict()) return d->shape;
  return {0, space() != nullptr};
}

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"undefined",   "none",      "a boolean", "a number",
                                    "a number",    "a string",  "a list",    "a dictionary",
                                    "a namespace", "a function"};
  static_assert(std::size(kNames) == std::variant_size_v<Data>);
  return kNames[data.index()];
}

Value Value::Part(size_t begin, size_t count) const {
  Piece piece = std::get<Piece>(data);
  begin = std::min(begin, piece.size);
  piece.size = std::min(count, piece.size - begin);
  piece.begin += begin;
  return Value(std::move(piece));
}

bool Value::Append(const Value& element) {
  Array& array = *std::get<std::shared_ptr<Array>>(data);
  if (array.sealed || element.list() == &array.items || element.shape().holds_namespace)
    return false;
  Take(array.shape, element);
  array.items.push_back(element);
  return true;
}

}  // namespace portcullis::inference::jinja
