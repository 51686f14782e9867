#include <algorithm>

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::jinja {
namespace {

constexpr std::string_view kTextMethods[] = {
    "strip", "lstrip", "rstrip", "split", "startswith", "endswith", "replace",
    "upper", "lower",  "title",  "capitalize", "find", "join", "removeprefix", "removesuffix"};
constexpr std::string_view kDictMethods[] = {"items", "get", "keys", "values"};
constexpr std::string_view kListMethods[] = {"append", "index"};

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool IsLetter(char c) { return Lower(c) >= 'a' && Lower(c) <= 'z'; }

Text Cased(Text text, std::string_view name) {
  bool begin = true;
  for (char& c : text.bytes) {
    const bool up = name == "upper" || (name != "lower" && begin);
    begin = name == "title" ? !IsLetter(c) : false;
    c = up ? Upper(c) : Lower(c);
  }
  return text;
}

std::vector<Text> SplitText(const Text& text, std::string_view separator, int64_t most) {
  std::vector<Text> parts;
  size_t from = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t at = text.bytes.find(separator, from);
    if (at == std::string::npos) break;
    parts.push_back(text.Slice(from, at - from));
    from = at + separator.size();
  }
  parts.push_back(text.Slice(from));
  return parts;
}

std::vector<Text> SplitBlank(const Text& text) {
  std::vector<Text> parts;
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  for (size_t from = text.bytes.find_first_not_of(kBlank); from != std::string::npos;) {
    const size_t end = std::min(text.bytes.find_first_of(kBlank, from), text.bytes.size());
    parts.push_back(text.Slice(from, end - from));
    from = text.bytes.find_first_not_of(kBlank, end);
  }
  return parts;
}

Text ReplaceText(const Text& text, const Text& from, const Text& to, int64_t most) {
  if (from.bytes.empty()) return text;
  const std::vector<Text> parts = SplitText(text, from.bytes, most);
  Text out = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    out.Append(to);
    out.Append(parts[i]);
  }
  return out;
}

int64_t IntOr(const Value* value, int64_t absent) {
  return value != nullptr && value->Is<int64_t>() ? std::get<int64_t>(value->data) : absent;
}

Result<Value> TextMethod(const Text& text, std::string_view name, const Arguments& arguments) {
  const Value* first = arguments.Get(0);
  const Text* word = first == nullptr ? nullptr : first->text();
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const Side side = name == "strip" ? Side::kBoth : name == "lstrip" ? Side::kLeft : Side::kRight;
    return Value::Of(Strip(text, word == nullptr ? "" : word->bytes, side));
  }
  if (name == "split") {
    if (word != nullptr && word->bytes.empty()) return Misuse("split by an empty string");
    const int64_t most = IntOr(arguments.Get(1, "maxsplit"), -1);
    List list;
    for (Text& part : word == nullptr ? SplitBlank(text) : SplitText(text, word->bytes, most)) {
      list.push_back(Value::Of(std::move(part)));
    }
    return Value::Of(std::move(list));
  }
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize") {
    return Value::Of(Cased(text, name));
  }
  if (name == "join") {
    Arguments separator;
    separator.values.push_back(Value::Of(text));
    if (first == nullptr) return Misuse("join needs a list");
    return ApplyFilter("join", *first, separator);
  }
  if (word == nullptr) {
    // startswith and endswith take several words too.
    const List* list = first == nullptr ? nullptr : first->list();
    if (list == nullptr || (name != "startswith" && name != "endswith")) {
      return Misuse("`" + std::string(name) + "` needs a string");
    }
    for (const Value& item : *list) {
      Arguments one;
      one.values.push_back(item);
      BOOST_OUTCOME_TRY(const Value found, TextMethod(text, name, one));
      if (found.truthy()) return found;
    }
    return Value::Of(false);
  }
  if (name == "startswith") return Value::Of(text.bytes.starts_with(word->bytes));
  if (name == "endswith") return Value::Of(text.bytes.ends_with(word->bytes));
  if (name == "find") {
    const size_t at = text.bytes.find(word->bytes);
    return Value::Of(at == std::string::npos ? int64_t{-1} : static_cast<int64_t>(at));
  }
  if (name == "removeprefix") {
    return Value::Of(text.bytes.starts_with(word->bytes) ? text.Slice(word->bytes.size()) : text);
  }
  if (name == "removesuffix") {
    const bool ends = text.bytes.ends_with(word->bytes);
    return Value::Of(ends ? text.Slice(0, text.bytes.size() - word->bytes.size()) : text);
  }
  const Value* to = arguments.Get(1);
  if (to == nullptr || to->text() == nullptr) return Misuse("`replace` needs two strings");
  return Value::Of(ReplaceText(text, *word, *to->text(), IntOr(arguments.Get(2, "count"), -1)));
}

Result<Value> DictMethod(const Dict& dict, std::string_view name, const Arguments& arguments) {
  if (name == "get") {
    const Value* key = arguments.Get(0);
    const Text* word = key == nullptr ? nullptr : key->text();
    const Value* found = word == nullptr ? nullptr : dict.Find(word->bytes);
    if (found != nullptr) return *found;
    const Value* absent = arguments.Get(1, "default");
    return absent == nullptr ? Value::Null() : *absent;
  }
  List list;
  for (const auto& [key, value] : dict.items) {
    if (name == "keys") {
      list.push_back(Value::Of(key));
    } else if (name == "values") {
      list.push_back(value);
    } else {
      list.push_back(Value::Of(List{Value::Of(key), value}));
    }
  }
  return Value::Of(std::move(list));
}

template <size_t N>
bool Known(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

List Characters(const Text& text) {
  List list;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t n = std::max<size_t>(1, CharacterLength(std::string_view(text.bytes).substr(at)));
    list.push_back(Value::Of(text.Slice(at, n)));
    at += n;
  }
  return list;
}

}  // namespace

const Value* Arguments::Get(size_t index, std::string_view name) const {
  if (index < values.size()) return &values[index];
  for (const auto& [key, value] : named) {
    if (!name.empty() && key == name) return &value;
  }
  return nullptr;
}

Error Misuse(const std::string& what) { return Error{Code::kBadTemplate, "chat template: " + what}; }

Text Strip(const Text& text, std::string_view set, Side side) {
  if (set.empty()) set = " \t\r\n\f\v";
  size_t begin = 0;
  size_t end = text.bytes.size();
  if (side != Side::kRight) begin = std::min(text.bytes.find_first_not_of(set), end);
  if (side != Side::kLeft) {
    const size_t last = text.bytes.find_last_not_of(set);
    end = last == std::string::npos ? begin : std::max(begin, last + 1);
  }
  return text.Slice(begin, end - begin);
}

bool HasMethod(const Value& self, std::string_view name) {
  if (self.text() != nullptr) return Known(kTextMethods, name);
  if (self.dict() != nullptr) return Known(kDictMethods, name);
  return self.list() != nullptr && Known(kListMethods, name);
}

Result<Value> CallMethod(const Value& self, std::string_view name, const Arguments& arguments) {
  if (const Text* text = self.text()) return TextMethod(*text, name, arguments);
  if (const Dict* dict = self.dict()) return DictMethod(*dict, name, arguments);
  List* list = self.list();
  const Value* first = arguments.Get(0);
  if (list == nullptr || first == nullptr) return Misuse("`" + std::string(name) + "` needs a list");
  if (name == "append") {
    if (list->size() >= 100'000) return Misuse("a list grows too long");
    list->push_back(*first);
    return Value::Null();
  }
  for (size_t i = 0; i < list->size(); ++i) {
    if ((*list)[i].Equals(*first)) return Value::Of(static_cast<int64_t>(i));
  }
  return Misuse("`index` finds nothing");
}

Result<List> Elements(const Value& value) {
  if (const List* list = value.list()) return *list;
  if (const Text* text = value.text()) return Characters(*text);
  List out;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, unused] : dict->items) out.push_back(Value::Of(key));
    return out;
  }
  if (value.Is<Undefined>()) return out;
  return Misuse(std::string("a loop over ") + value.type_name());
}

Value Item(const Value& object, const Value& key) {
  if (const Dict* dict = object.dict()) {
    const Value* found = key.text() == nullptr ? nullptr : dict->Find(key.text()->bytes);
    return found == nullptr ? Value() : *found;
  }
  if (!key.Is<int64_t>()) return {};
  const bool is_text = object.text() != nullptr;
  const List characters = is_text ? Characters(*object.text()) : List{};
  const List* list = is_text ? &characters : object.list();
  if (list == nullptr) return {};
  const auto size = static_cast<int64_t>(list->size());
  int64_t index = std::get<int64_t>(key.data);
  if (index < 0) index += size;
  return index >= 0 && index < size ? (*list)[static_cast<size_t>(index)] : Value();
}

Result<Value> SliceOf(const Value& object, const Value& begin, const Value& end, const Value& step) {
  const bool is_text = object.text() != nullptr;
  if (!is_text && object.list() == nullptr) return Misuse(std::string("a slice of ") + object.type_name());
  BOOST_OUTCOME_TRY(const List all, Elements(object));
  const auto size = static_cast<int64_t>(all.size());
  const int64_t by = IntOr(&step, 1);
  if (by == 0) return Misuse("a slice with step 0");
  const auto clamp = [&](const Value& value, int64_t absent) {
    if (!value.Is<int64_t>()) return absent;
    int64_t index = std::get<int64_t>(value.data);
    if (index < 0) index = std::max<int64_t>(index + size, by < 0 ? -1 : 0);
    return std::min(index, by < 0 ? size - 1 : size);
  };
  List out;
  Text text;
  const int64_t last = clamp(end, by < 0 ? -1 : size);
  for (int64_t i = clamp(begin, by < 0 ? size - 1 : 0); by > 0 ? i < last : i > last; i += by) {
    const Value& item = all[static_cast<size_t>(i)];
    if (is_text) {
      text.Append(*item.text());
    } else {
      out.push_back(item);
    }
    if (by > size || by < -size) break;
  }
  return is_text ? Value::Of(std::move(text)) : Value::Of(std::move(out));
}

bool Contains(const Value& container, const Value& element) {
  const Text* word = element.text();
  if (const Text* text = container.text()) {
    return word != nullptr && text->bytes.find(word->bytes) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) return word != nullptr && dict->Find(word->bytes) != nullptr;
  const List* list = container.list();
  return list != nullptr && std::any_of(list->begin(), list->end(),
                                        [&](const Value& item) { return item.Equals(element); });
}

}  // namespace portcullis::inference::jinja
