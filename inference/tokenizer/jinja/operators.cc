// Operators, equality and containment. Joining texts is linear over a whole rendering: the result
// lies in a buffer that the next `+` or `~` extends, so that `s = s + x` in a loop copies each byte
// once, whatever name or namespace holds `s` meanwhile.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/jinja/syntax.h"

namespace portcullis::inference::jinja {
namespace {

// Both are texts.
Result<Value> Joined(const Value& left, const Value& right, Meter& meter) {
  const Piece& head = std::get<Piece>(left.data);
  const Piece& tail = std::get<Piece>(right.data);
  if (tail.size == 0) return left;
  if (head.size == 0) return right;
  const bool at_end = head.begin + head.size == head.buffer->text.bytes.size();
  Piece out = head;
  if (!at_end || !head.buffer->growable) {
    BOOST_OUTCOME_TRY(meter.MakeText(head.size));
    out.buffer = std::make_shared<Buffer>();
    out.buffer->growable = true;
    out.buffer->text.Append(*left.text());
    out.begin = 0;
  }
  BOOST_OUTCOME_TRY(meter.MakeText(tail.size));
  if (out.buffer == tail.buffer) {  // growing moves what is read
    Text copy;
    copy.Append(*right.text());
    out.buffer->text.Append(copy);
  } else {
    out.buffer->text.Append(*right.text());
  }
  out.size += tail.size;
  return Value(std::move(out));
}

Result<Value> Ordered(const Node& node, bool less, bool equal) {
  const std::string& sign = node.name;
  if (sign == "<") return Value::Of(less);
  if (sign == "<=") return Value::Of(less || equal);
  if (sign == ">") return Value::Of(!less && !equal);
  if (sign == ">=") return Value::Of(!less);
  return BadTemplate(node.line, "`" + sign + "` does not apply here");
}

Result<Value> Arithmetic(const Node& node, const Value& left, const Value& right) {
  const std::string& sign = node.name;
  const double a = left.number();
  const double b = right.number();
  double result = 0;
  if (sign == "+") {
    result = a + b;
  } else if (sign == "-") {
    result = a - b;
  } else if (sign == "*") {
    result = a * b;
  } else if (sign == "**") {
    result = std::pow(a, b);
  } else if (sign == "/" || sign == "//" || sign == "%") {
    if (b == 0) return BadTemplate(node.line, "a division by zero");
    result = sign == "/" ? a / b : sign == "//" ? std::floor(a / b) : a - b * std::floor(a / b);
  } else {
    return Ordered(node, a < b, a == b);
  }
  const bool whole =
      !left.Is<double>() && !right.Is<double>() && sign != "/" && std::fabs(result) < 9e15;
  return whole ? Value::Of(static_cast<int64_t>(result)) : Value(Value::Data(result));
}

// Tool arguments are a dictionary that templates may also write like the string they came as.
bool LikeText(const Value& value) {
  return value.text() || (value.dict() != nullptr && !value.dict()->source.empty());
}

Result<bool> EqualLists(const List& a, const List& b, Meter& meter) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    BOOST_OUTCOME_TRY(const bool same, Equal(a[i], b[i], meter));
    if (!same) return false;
  }
  return true;
}

Result<bool> EqualDicts(const Dict& a, const Dict& b, Meter& meter) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    BOOST_OUTCOME_TRY(meter.Steps(1));
    BOOST_OUTCOME_TRY(ChargeLookup(b, key.bytes, meter));
    const Value* found = b.Find(key.bytes);
    if (found == nullptr) return false;
    BOOST_OUTCOME_TRY(const bool same, Equal(value, *found, meter));
    if (!same) return false;
  }
  return true;
}

}  // namespace

Result<bool> Equal(const Value& a, const Value& b, Meter& meter) {
  BOOST_OUTCOME_TRY(meter.Steps(1));
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  const auto text = a.text(), other = b.text();
  if (text && other) {
    if (text->bytes.size() != other->bytes.size()) return false;
    BOOST_OUTCOME_TRY(meter.Read(text->bytes.size()));
    return text->bytes == other->bytes;
  }
  if (a.list() != nullptr && b.list() != nullptr) return EqualLists(*a.list(), *b.list(), meter);
  if (a.dict() != nullptr && b.dict() != nullptr) return EqualDicts(*a.dict(), *b.dict(), meter);
  if (a.space() != nullptr) return a.space() == b.space();
  return (a.Is<None>() && b.Is<None>()) || (a.Is<Undefined>() && b.Is<Undefined>());
}

Result<size_t> FindText(std::string_view text, std::string_view word, Meter& meter) {
  constexpr size_t kLongWord = 256;  // beyond it the C library's search is linear
  BOOST_OUTCOME_TRY(
      meter.Read(text.size() * (1 + std::min(word.size(), kLongWord) / Meter::kBytesPerStep)));
  return SearchText(text, word, 0);
}

size_t SearchText(std::string_view text, std::string_view word, size_t from) {
  if (word.empty()) return from;
  const void* at = memmem(text.data() + from, text.size() - from, word.data(), word.size());
  if (at == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

Result<bool> Contains(const Value& container, const Value& element, Meter& meter) {
  const auto word = element.text();
  if (const auto text = container.text()) {
    if (!word) return false;
    BOOST_OUTCOME_TRY(const size_t at, FindText(text->bytes, word->bytes, meter));
    return at != std::string_view::npos;
  }
  if (container.dict() != nullptr || container.space() != nullptr) {
    if (!word) return false;
    const Dict& dict = container.dict() != nullptr ? *container.dict() : container.space()->members;
    BOOST_OUTCOME_TRY(ChargeLookup(dict, word->bytes, meter));
    return dict.Find(word->bytes) != nullptr;
  }
  if (container.list() == nullptr) return false;
  for (const Value& item : *container.list()) {
    BOOST_OUTCOME_TRY(const bool same, Equal(item, element, meter));
    if (same) return true;
  }
  return false;
}

Result<Value> Combine(const Node& node, const Value& left, const Value& right, Meter& meter) {
  const std::string& sign = node.name;
  if (sign == "==" || sign == "!=") {
    BOOST_OUTCOME_TRY(const bool same, Equal(left, right, meter));
    return Value::Of(same == (sign == "=="));
  }
  if (sign == "in") {
    BOOST_OUTCOME_TRY(const bool contained, Contains(right, left, meter));
    return Value::Of(contained);
  }
  if (sign == "+" && left.list() != nullptr && right.list() != nullptr) {
    BOOST_OUTCOME_TRY(meter.Make(sizeof(Value) * (left.list()->size() + right.list()->size())));
    List list = *left.list();
    list.insert(list.end(), right.list()->begin(), right.list()->end());
    return Value::Of(std::move(list));
  }
  if (sign == "~" || (LikeText(left) && LikeText(right))) {
    BOOST_OUTCOME_TRY(const Value head, Printed(left, meter));
    BOOST_OUTCOME_TRY(const Value tail, Printed(right, meter));
    if (sign == "~" || sign == "+") return Joined(head, tail, meter);
    const std::string_view a = head.text()->bytes, b = tail.text()->bytes;
    BOOST_OUTCOME_TRY(meter.Read(std::min(a.size(), b.size())));
    const int order = a.compare(b);
    return Ordered(node, order < 0, order == 0);
  }
  if (!left.is_number() || !right.is_number()) {
    return BadTemplate(node.line,
                       "`" + sign + "` between " + left.type_name() + " and " + right.type_name());
  }
  return Arithmetic(node, left, right);
}

}  // namespace portcullis::inference::jinja
