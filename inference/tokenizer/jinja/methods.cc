#include <algorithm>
#include <array>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference::jinja {
namespace {

constexpr std::string_view kTextMethods[] = {
    "strip", "lstrip", "rstrip",     "split", "startswith", "endswith",     "replace",     "upper",
    "lower", "title",  "capitalize", "find",  "join",       "removeprefix", "removesuffix"};
constexpr std::string_view kDictMethods[] = {"items", "get", "keys", "values"};
constexpr std::string_view kListMethods[] = {"append", "index"};
constexpr std::string_view kBlank = " \t\r\n\f\v";

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool IsLetter(char c) { return Lower(c) >= 'a' && Lower(c) <= 'z'; }

Result<Value> Cased(const TextView& from, std::string_view name, Meter& meter) {
  BOOST_OUTCOME_TRY(meter.MakeText(from.bytes.size()));
  Text text;
  text.Append(from);
  bool begin = true;
  for (char& c : text.bytes) {
    const bool up = name == "upper" || (name != "lower" && begin);
    begin = name == "title" ? !IsLetter(c) : false;
    c = up ? Upper(c) : Lower(c);
  }
  return Value::Of(std::move(text));
}

Result<List> SplitText(const Value& text, std::string_view separator, int64_t most, Meter& meter) {
  const std::string_view bytes = text.text()->bytes;
  List parts;
  size_t from = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    const size_t at = SearchText(bytes, separator, from);
    if (at == std::string_view::npos) break;
    parts.push_back(text.Part(from, at - from));
    from = at + separator.size();
  }
  parts.push_back(text.Part(from));
  return parts;
}

Result<List> SplitBlank(const Value& text, Meter& meter) {
  const std::string_view bytes = text.text()->bytes;
  List parts;
  for (size_t from = bytes.find_first_not_of(kBlank); from != std::string_view::npos;) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    const size_t end = std::min(bytes.find_first_of(kBlank, from), bytes.size());
    parts.push_back(text.Part(from, end - from));
    from = bytes.find_first_not_of(kBlank, end);
  }
  return parts;
}

Result<Value> ReplaceText(const Value& text, const TextView& from, const TextView& to, int64_t most,
                          Meter& meter) {
  if (from.bytes.empty()) return text;
  const TextView all = *text.text();
  Text out;
  size_t at = 0;
  const auto take = [&](const TextView& part) -> Result<void> {
    BOOST_OUTCOME_TRY(meter.MakeText(part.bytes.size()));
    out.Append(part);
    return boost::outcome_v2::success();
  };
  for (int64_t done = 0; most < 0 || done < most; ++done) {
    const size_t found = SearchText(all.bytes, from.bytes, at);
    if (found == std::string_view::npos) break;
    BOOST_OUTCOME_TRY(meter.Steps(1));
    BOOST_OUTCOME_TRY(take(all.Slice(at, found - at)));
    BOOST_OUTCOME_TRY(take(to));
    at = found + from.bytes.size();
  }
  if (at == 0) return text;
  BOOST_OUTCOME_TRY(take(all.Slice(at)));
  return Value::Of(std::move(out));
}

int64_t IntOr(const Value* value, int64_t absent) {
  return value != nullptr && value->Is<int64_t>() ? std::get<int64_t>(value->data) : absent;
}

// startswith and endswith, of one word or of several.
Result<Value> HasEnd(const TextView& text, bool start, const Value* words, Meter& meter) {
  const auto has = [&](std::string_view word) {
    return start ? text.bytes.starts_with(word) : text.bytes.ends_with(word);
  };
  const auto one = words == nullptr ? std::nullopt : words->text();
  if (one) {
    BOOST_OUTCOME_TRY(meter.Read(one->bytes.size()));
    return Value::Of(has(one->bytes));
  }
  const List* list = words == nullptr ? nullptr : words->list();
  if (list == nullptr) return Misuse("`startswith` and `endswith` need a string");
  for (const Value& item : *list) {
    const auto word = item.text();
    if (!word) return Misuse("`startswith` and `endswith` need strings");
    BOOST_OUTCOME_TRY(meter.Steps(1 + word->bytes.size() / Meter::kBytesPerStep));
    if (has(word->bytes)) return Value::Of(true);
  }
  return Value::Of(false);
}

Result<Value> Split(const Value& self, const Arguments& arguments, Meter& meter) {
  const Value* first = arguments.Get(0);
  const auto word = first == nullptr ? std::nullopt : first->text();
  if (!word) {
    BOOST_OUTCOME_TRY(meter.Read(self.text()->bytes.size()));
    BOOST_OUTCOME_TRY(List list, SplitBlank(self, meter));
    return Value::Of(std::move(list));
  }
  if (word->bytes.empty()) return Misuse("split by an empty string");
  // A search charges for the whole text, and finds whether there is anything to split.
  BOOST_OUTCOME_TRY(const size_t at, FindText(self.text()->bytes, word->bytes, meter));
  if (at == std::string_view::npos) return Value::Of(List{self});
  BOOST_OUTCOME_TRY(List list,
                    SplitText(self, word->bytes, IntOr(arguments.Get(1, "maxsplit"), -1), meter));
  return Value::Of(std::move(list));
}

Result<Value> TextMethod(const Value& self, std::string_view name, const Arguments& arguments,
                         Meter& meter) {
  const TextView text = *self.text();
  const Value* first = arguments.Get(0);
  const auto word = first == nullptr ? std::nullopt : first->text();
  if (word) {
    BOOST_OUTCOME_TRY(meter.Read(word->bytes.size()));
  }
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    BOOST_OUTCOME_TRY(meter.Read(text.bytes.size()));
    const Side side = name == "strip" ? Side::kBoth : name == "lstrip" ? Side::kLeft : Side::kRight;
    return Strip(self, word ? word->bytes : "", side);
  }
  if (name == "split") return Split(self, arguments, meter);
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize") {
    return Cased(text, name, meter);
  }
  if (name == "join") {
    Arguments separator;
    separator.values.push_back(self);
    if (first == nullptr) return Misuse("join needs a list");
    return ApplyFilter("join", *first, separator, meter);
  }
  if (name == "startswith" || name == "endswith") {
    return HasEnd(text, name == "startswith", first, meter);
  }
  if (!word) return Misuse("`" + std::string(name) + "` needs a string");
  if (name == "removeprefix") {
    return text.bytes.starts_with(word->bytes) ? self.Part(word->bytes.size()) : self;
  }
  if (name == "removesuffix") {
    const bool ends = text.bytes.ends_with(word->bytes);
    return ends ? self.Part(0, text.bytes.size() - word->bytes.size()) : self;
  }
  BOOST_OUTCOME_TRY(const size_t at, FindText(text.bytes, word->bytes, meter));
  const bool found = at != std::string_view::npos;
  if (name == "find") {
    return Value::Of(found ? static_cast<int64_t>(CountCharacters(text.bytes.substr(0, at)))
                           : int64_t{-1});
  }
  const Value* to = arguments.Get(1);
  if (to == nullptr || !to->text()) return Misuse("`replace` needs two strings");
  if (!found) return self;
  return ReplaceText(self, *word, *to->text(), IntOr(arguments.Get(2, "count"), -1), meter);
}

Result<Value> DictMethod(const Dict& dict, std::string_view name, const Arguments& arguments,
                         Meter& meter) {
  BOOST_OUTCOME_TRY(meter.Steps(dict.items.size() / 16));
  if (name == "get") {
    const Value* key = arguments.Get(0);
    const auto word = key == nullptr ? std::nullopt : key->text();
    if (word) {
      BOOST_OUTCOME_TRY(ChargeLookup(dict, word->bytes, meter));
    }
    const Value* found = word ? dict.Find(word->bytes) : nullptr;
    if (found != nullptr) return *found;
    const Value* absent = arguments.Get(1, "default");
    return absent == nullptr ? Value::Null() : *absent;
  }
  List list;
  for (const auto& [key, value] : dict.items) {
    BOOST_OUTCOME_TRY(meter.MakeText(key.bytes.size() + 2 * sizeof(Value)));
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

Result<Value> ListMethod(Value self, std::string_view name, const Arguments& arguments,
                         Meter& meter) {
  const Value* first = arguments.Get(0);
  if (self.list() == nullptr || first == nullptr) {
    return Misuse("`" + std::string(name) + "` needs a list");
  }
  if (name == "append") {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    if (self.Append(*first)) return Value::Null();
    return Misuse("`append` to a list that is part of another value, or of what would hold itself");
  }
  const List& list = *self.list();
  for (size_t i = 0; i < list.size(); ++i) {
    BOOST_OUTCOME_TRY(const bool same, Equal(list[i], *first, meter));
    if (same) return Value::Of(static_cast<int64_t>(i));
  }
  return Misuse("`index` finds nothing");
}

template <size_t N>
bool Known(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

const Value* Arguments::Get(size_t index, std::string_view name) const {
  if (index < values.size()) return &values[index];
  for (const auto& [key, value] : named) {
    if (!name.empty() && key == name) return &value;
  }
  return nullptr;
}

Error Misuse(const std::string& what) {
  return Error{Code::kBadTemplate, "chat template: " + what};
}

Value Strip(const Value& text, std::string_view set, Side side) {
  std::array<bool, 256> wanted{};
  for (const char c : set.empty() ? kBlank : set) wanted[static_cast<unsigned char>(c)] = true;
  const std::string_view bytes = text.text()->bytes;
  const auto strips = [&](size_t at) { return wanted[static_cast<unsigned char>(bytes[at])]; };
  size_t begin = 0;
  size_t end = bytes.size();
  while (side != Side::kRight && begin < end && strips(begin)) ++begin;
  while (side != Side::kLeft && end > begin && strips(end - 1)) --end;
  return text.Part(begin, end - begin);
}

bool HasMethod(const Value& self, std::string_view name) {
  if (self.text()) return Known(kTextMethods, name);
  if (self.dict() != nullptr) return Known(kDictMethods, name);
  return self.list() != nullptr && Known(kListMethods, name);
}

Result<Value> CallMethod(const Value& self, std::string_view name, const Arguments& arguments,
                         Meter& meter) {
  if (self.text()) return TextMethod(self, name, arguments, meter);
  if (const Dict* dict = self.dict()) return DictMethod(*dict, name, arguments, meter);
  return ListMethod(self, name, arguments, meter);
}

}  // namespace portcullis::inference::jinja
