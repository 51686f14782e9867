// How values look in the prompt: Python's str() and json.dumps().
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <charconv>
#include <cmath>

#include "inference/tokenizer/jinja/builtins.h"

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

std::string PrintNumber(const Value& value) {
  if (value.Is<int64_t>()) return std::to_string(std::get<int64_t>(value.data));
  return PrintDouble(value.number());
}

// Recursion ends because values have a bounded height (kMaxHeight in evaluate.cc).
class JsonWriter {
 public:
  JsonWriter(int64_t indent, Meter& meter) : indent_(indent), meter_(meter) {}

  Result<void> Write(const Value& value, int64_t depth) {
    BOOST_OUTCOME_TRY(meter_.Steps(1));
    if (const auto text = value.text()) return String(*text);
    if (const List* list = value.list()) {
      BOOST_OUTCOME_TRY(Put("["));
      for (size_t i = 0; i < list->size(); ++i) {
        BOOST_OUTCOME_TRY(Next(i, depth));
        BOOST_OUTCOME_TRY(Write((*list)[i], depth + 1));
      }
      return Close("]", list->size(), depth);
    }
    if (const Dict* dict = value.dict()) {
      BOOST_OUTCOME_TRY(Put("{"));
      for (size_t i = 0; i < dict->items.size(); ++i) {
        BOOST_OUTCOME_TRY(Next(i, depth));
        BOOST_OUTCOME_TRY(String(dict->items[i].first));
        BOOST_OUTCOME_TRY(Put(": "));
        BOOST_OUTCOME_TRY(Write(dict->items[i].second, depth + 1));
      }
      return Close("}", dict->items.size(), depth);
    }
    if (value.Is<bool>()) return Put(std::get<bool>(value.data) ? "true" : "false");
    return Put(value.is_number() ? PrintNumber(value) : "null");
  }

  Text Take() {
    if (from_data_) out_.marks.assign(out_.bytes.size(), '\1');
    return std::move(out_);
  }

 private:
  Result<void> Put(std::string_view text) {
    BOOST_OUTCOME_TRY(meter_.MakeText(text.size()));
    out_.Append(Text(text, false));
    return boost::outcome_v2::success();
  }
  Result<void> String(const TextView& text) {
    BOOST_OUTCOME_TRY(meter_.MakeText(text.bytes.size()));
    from_data_ = from_data_ || text.any_from_data();
    return Put(json::serialize(json::string(text.bytes)));
  }
  Result<void> NewLine(int64_t depth) {
    if (indent_ < 0) return boost::outcome_v2::success();
    return Put("\n" + std::string(static_cast<size_t>(indent_ * depth), ' '));
  }
  Result<void> Next(size_t i, int64_t depth) {
    if (i > 0) {
      BOOST_OUTCOME_TRY(Put(indent_ >= 0 ? "," : ", "));
    }
    return NewLine(depth + 1);
  }
  Result<void> Close(std::string_view bracket, size_t elements, int64_t depth) {
    if (elements > 0) {
      BOOST_OUTCOME_TRY(NewLine(depth));
    }
    return Put(bracket);
  }

  const int64_t indent_;
  Meter& meter_;
  Text out_;
  bool from_data_ = false;
};

}  // namespace

Result<Text> ToJson(const Value& value, int64_t indent, Meter& meter) {
  JsonWriter writer(indent, meter);
  BOOST_OUTCOME_TRY(writer.Write(value, 0));
  return writer.Take();
}

Result<Value> Printed(const Value& value, Meter& meter) {
  const auto own = [](std::string_view words) { return Value::Of(Text(words, false)); };
  if (value.text()) return value;
  if (value.Is<None>()) return own("None");
  if (value.Is<bool>()) return own(std::get<bool>(value.data) ? "True" : "False");
  if (value.is_number()) return own(PrintNumber(value));
  if (const Dict* dict = value.dict(); dict != nullptr && !dict->source.empty()) {
    BOOST_OUTCOME_TRY(meter.MakeText(dict->source.size()));
    return Value::Of(Text(dict->source, true));
  }
  if (value.list() == nullptr && value.dict() == nullptr) return Value::Of(Text());
  BOOST_OUTCOME_TRY(auto text, ToJson(value, -1, meter));
  return Value::Of(std::move(text));
}

}  // namespace portcullis::inference::jinja
