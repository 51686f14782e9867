// What containers and texts consist of: elements, members, slices. Texts count in characters, and
// their parts share the bytes of the whole.
#include <algorithm>

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::jinja {
namespace {

constexpr size_t kDictStep = 16;  // entries looked at for the price of a step

size_t StepAt(std::string_view text, size_t at) {
  return std::max<size_t>(1, CharacterLength(text.substr(at)));
}

// Byte offset of the character after `count` others, from `at` on.
size_t Advance(std::string_view text, size_t at, int64_t count) {
  for (; count > 0 && at < text.size(); --count) at += StepAt(text, at);
  return at;
}

Result<List> Characters(const Value& value, Meter& meter) {
  const std::string_view text = value.text()->bytes;
  BOOST_OUTCOME_TRY(meter.Read(text.size()));
  const size_t count = CountCharacters(text);
  BOOST_OUTCOME_TRY(meter.Make(count * sizeof(Value)));
  List list;
  list.reserve(count);
  for (size_t at = 0; at < text.size();) {
    const size_t size = StepAt(text, at);
    list.push_back(value.Part(at, size));
    at += size;
  }
  return list;
}

Result<Value> CharacterAt(const Value& value, int64_t index, Meter& meter) {
  const std::string_view text = value.text()->bytes;
  const size_t walked = index < 0 ? text.size() : static_cast<size_t>(index);
  BOOST_OUTCOME_TRY(meter.Read(std::min(walked, text.size())));
  if (index < 0) index += static_cast<int64_t>(CountCharacters(text));
  if (index < 0) return Value();
  const size_t at = Advance(text, 0, index);
  return at < text.size() ? value.Part(at, StepAt(text, at)) : Value();
}

// Python's slice of `size` elements: the first index, one beyond the last, the step.
struct Range {
  int64_t first = 0;
  int64_t last = 0;
  int64_t step = 1;

  Range(int64_t size, const Value& begin, const Value& end, int64_t by)
      : step(std::clamp(by, -size - 1, size + 1)) {
    const auto clamp = [&](const Value& value, int64_t absent) {
      if (!value.Is<int64_t>()) return absent;
      int64_t index = std::get<int64_t>(value.data);
      if (index < 0) index = std::max<int64_t>(index + size, step < 0 ? -1 : 0);
      return std::min(index, step < 0 ? size - 1 : size);
    };
    first = clamp(begin, step < 0 ? size - 1 : 0);
    last = clamp(end, step < 0 ? -1 : size);
  }
  bool Within(int64_t i) const { return step > 0 ? i < last : i > last; }
};

Result<Value> TextSlice(const Value& value, const Range& range, Meter& meter) {
  const std::string_view text = value.text()->bytes;
  BOOST_OUTCOME_TRY(meter.Read(text.size()));
  if (range.step == 1) {
    const size_t from = Advance(text, 0, range.first);
    return value.Part(from, Advance(text, from, range.last - range.first) - from);
  }
  BOOST_OUTCOME_TRY(const List all, Characters(value, meter));
  Text out;
  for (int64_t i = range.first; range.Within(i); i += range.step) {
    const TextView character = *all[static_cast<size_t>(i)].text();
    BOOST_OUTCOME_TRY(meter.MakeText(character.bytes.size()));
    out.Append(character);
  }
  return Value::Of(std::move(out));
}

}  // namespace

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += StepAt(text, at)) ++count;
  return count;
}

Result<int64_t> Length(const Value& value, Meter& meter) {
  if (const auto text = value.text()) {
    BOOST_OUTCOME_TRY(meter.Read(text->bytes.size()));
    return static_cast<int64_t>(CountCharacters(text->bytes));
  }
  if (const List* list = value.list()) return static_cast<int64_t>(list->size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  return int64_t{0};
}

Result<Value> Elements(const Value& value, Meter& meter) {
  if (value.list() != nullptr) return value;
  if (value.text()) {
    BOOST_OUTCOME_TRY(List list, Characters(value, meter));
    return Value::Of(std::move(list));
  }
  List out;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, unused] : dict->items) {
      BOOST_OUTCOME_TRY(meter.MakeText(key.bytes.size() + sizeof(Value)));
      out.push_back(Value::Of(key));
    }
  } else if (!value.Is<Undefined>()) {
    return Misuse(std::string("a loop over ") + value.type_name());
  }
  return Value::Of(std::move(out));
}

Result<void> ChargeLookup(const Dict& dict, std::string_view key, Meter& meter) {
  const size_t entries = dict.items.size();
  return meter.Steps(entries / kDictStep + key.size() / Meter::kBytesPerStep * entries);
}

Result<Value> Member(const Value& object, std::string_view name, Meter& meter) {
  const Dict* dict = object.space() != nullptr ? &object.space()->members : object.dict();
  if (dict == nullptr) return Value();
  BOOST_OUTCOME_TRY(ChargeLookup(*dict, name, meter));
  const Value* found = dict->Find(name);
  return found == nullptr ? Value() : *found;
}

Result<Value> Item(const Value& object, const Value& key, Meter& meter) {
  if (const auto name = key.text()) return Member(object, name->bytes, meter);
  if (!key.Is<int64_t>()) return Value();
  int64_t index = std::get<int64_t>(key.data);
  if (object.text()) return CharacterAt(object, index, meter);
  const List* list = object.list();
  if (list == nullptr) return Value();
  const auto size = static_cast<int64_t>(list->size());
  if (index < 0) index += size;
  return index >= 0 && index < size ? (*list)[static_cast<size_t>(index)] : Value();
}

Result<Value> SliceOf(const Value& object, const Value& begin, const Value& end, const Value& step,
                      Meter& meter) {
  const List* list = object.list();
  if (list == nullptr && !object.text()) {
    return Misuse(std::string("a slice of ") + object.type_name());
  }
  const int64_t by = step.Is<int64_t>() ? std::get<int64_t>(step.data) : 1;
  if (by == 0) return Misuse("a slice with step 0");
  BOOST_OUTCOME_TRY(const int64_t size, Length(object, meter));
  const Range range(size, begin, end, by);
  if (list == nullptr) return TextSlice(object, range, meter);
  List out;
  for (int64_t i = range.first; range.Within(i); i += range.step) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value)));
    out.push_back((*list)[static_cast<size_t>(i)]);
  }
  return Value::Of(std::move(out));
}

}  // namespace portcullis::inference::jinja
