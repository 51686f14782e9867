#include "inference/tokenizer/jinja/value.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <charconv>
#include <cmath>

namespace portcullis::inference::jinja {
namespace {

namespace json = boost::json;

std::string PrintDouble(double value) {
  if (!std::isfinite(value)) return value != value ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void NewLine(Text& out, int64_t indent, int64_t depth) {
  if (indent >= 0) out.Append(Text("\n" + std::string(static_cast<size_t>(indent * depth), ' '), false));
}

void WriteJson(const Value& value, int64_t indent, int64_t depth, Text& out) {
  const auto put = [&](std::string_view text) { out.Append(Text(text, false)); };
  const auto string = [&](const Text& text) {
    out.Append(Text(json::serialize(json::string(text.bytes)), text.any_from_data()));
  };
  if (depth > 64) return put("null");
  if (const Text* text = value.text()) {
    string(*text);
  } else if (const List* list = value.list()) {
    if (list->empty()) return put("[]");
    put("[");
    for (size_t i = 0; i < list->size(); ++i) {
      if (i > 0) put(indent >= 0 ? "," : ", ");
      NewLine(out, indent, depth + 1);
      WriteJson((*list)[i], indent, depth + 1, out);
    }
    NewLine(out, indent, depth);
    put("]");
  } else if (const Dict* dict = value.dict()) {
    if (dict->items.empty()) return put("{}");
    put("{");
    for (size_t i = 0; i < dict->items.size(); ++i) {
      if (i > 0) put(indent >= 0 ? "," : ", ");
      NewLine(out, indent, depth + 1);
      string(dict->items[i].first);
      put(": ");
      WriteJson(dict->items[i].second, indent, depth + 1, out);
    }
    NewLine(out, indent, depth);
    put("}");
  } else if (value.Is<bool>()) {
    put(std::get<bool>(value.data) ? "true" : "false");
  } else if (value.is_number()) {
    out.Append(value.ToText());
  } else {
    put("null");
  }
}

}  // namespace

Text Text::Slice(size_t begin, size_t count) const {
  Text out;
  out.bytes = bytes.substr(begin, count);
  out.marks = marks.substr(begin, count);
  return out;
}

void Text::Append(const Text& other) {
  bytes += other.bytes;
  marks += other.marks;
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
      for (const json::value& item : from.get_array()) list.push_back(FromJson(item));
      return Of(std::move(list));
    }
    case json::kind::object: {
      Dict dict;
      for (const auto& [key, item] : from.get_object()) {
        dict.items.emplace_back(Text(key, true), FromJson(item));
      }
      return Of(std::move(dict));
    }
  }
  return Null();
}

double Value::number() const {
  if (Is<bool>()) return std::get<bool>(data) ? 1 : 0;
  if (Is<int64_t>()) return static_cast<double>(std::get<int64_t>(data));
  return Is<double>() ? std::get<double>(data) : 0;
}

bool Value::truthy() const {
  if (is_number()) return number() != 0;
  if (const Text* t = text()) return !t->bytes.empty();
  if (const List* l = list()) return !l->empty();
  if (const Dict* d = dict()) return !d->items.empty();
  return Is<Callable>();
}

bool Value::Equals(const Value& other) const {
  if (is_number() && other.is_number()) return number() == other.number();
  if (text() != nullptr && other.text() != nullptr) return text()->bytes == other.text()->bytes;
  if (list() != nullptr && other.list() != nullptr) {
    if (list()->size() != other.list()->size()) return false;
    for (size_t i = 0; i < list()->size(); ++i) {
      if (!(*list())[i].Equals((*other.list())[i])) return false;
    }
    return true;
  }
  if (dict() != nullptr && other.dict() != nullptr) {
    if (dict()->items.size() != other.dict()->items.size()) return false;
    for (const auto& [key, value] : dict()->items) {
      const Value* found = other.dict()->Find(key.bytes);
      if (found == nullptr || !value.Equals(*found)) return false;
    }
    return true;
  }
  return (Is<None>() && other.Is<None>()) || (Is<Undefined>() && other.Is<Undefined>());
}

Text Value::ToText() const {
  if (const Text* t = text()) return *t;
  if (Is<Undefined>() || Is<Callable>()) return {};
  if (Is<None>()) return Text("None", false);
  if (Is<bool>()) return Text(std::get<bool>(data) ? "True" : "False", false);
  if (Is<int64_t>()) return Text(std::to_string(std::get<int64_t>(data)), false);
  if (Is<double>()) return Text(PrintDouble(std::get<double>(data)), false);
  if (const Dict* d = dict(); d != nullptr && !d->source.empty()) return Text(d->source, true);
  return ToJson(*this, -1);
}

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"undefined", "none", "a boolean",    "a number",  "a number",
                                    "a string",  "a list", "a dictionary", "a function"};
  return kNames[data.index()];
}

Text ToJson(const Value& value, int64_t indent) {
  Text out;
  WriteJson(value, indent, 0, out);
  return out.any_from_data() ? Text(out.bytes, true) : out;
}

}  // namespace portcullis::inference::jinja
