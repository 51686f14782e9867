#include <cmath>

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/jinja/syntax.h"

namespace portcullis::inference::jinja {
namespace {

Value Joined(Text left, const Text& right) {
  left.Append(right);
  return Value::Of(std::move(left));
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
  return value.text() != nullptr || (value.dict() != nullptr && !value.dict()->source.empty());
}

}  // namespace

Result<Value> Combine(const Node& node, const Value& left, const Value& right) {
  const std::string& sign = node.name;
  if (sign == "==") return Value::Of(left.Equals(right));
  if (sign == "!=") return Value::Of(!left.Equals(right));
  if (sign == "in") return Value::Of(Contains(right, left));
  if (sign == "~") return Joined(left.ToText(), right.ToText());
  if (sign == "+" && left.list() != nullptr && right.list() != nullptr) {
    List list = *left.list();
    list.insert(list.end(), right.list()->begin(), right.list()->end());
    return Value::Of(std::move(list));
  }
  if (LikeText(left) && LikeText(right)) {
    if (sign == "+") return Joined(left.ToText(), right.ToText());
    const int order = left.ToText().bytes.compare(right.ToText().bytes);
    return Ordered(node, order < 0, order == 0);
  }
  if (!left.is_number() || !right.is_number()) {
    return BadTemplate(node.line,
                       "`" + sign + "` between " + left.type_name() + " and " + right.type_name());
  }
  return Arithmetic(node, left, right);
}

}  // namespace portcullis::inference::jinja
