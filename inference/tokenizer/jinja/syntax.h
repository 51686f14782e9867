// The syntax of a chat template: text in, a tree out. One kind of node serves statements and
// expressions. White space follows Jinja with trim_blocks and lstrip_blocks, as transformers sets
// them. A template is a foreign file: length, nesting and the number of nodes are bounded, and what
// is not understood is refused with its line (kBadTemplate). Pure functions.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/jinja/meter.h"
#include "inference/tokenizer/jinja/value.h"

namespace portcullis::inference::jinja {

enum class Kind : uint8_t {
  // Statements. Children in the order given.
  kBlock,     // statements
  kLiteral,   // `value`: text as it stands
  kOutput,    // expression
  kSet,       // target, value expression; or target and kBlock for {% set x %}…{% endset %}
  kIf,        // condition, kBlock, optional kBlock or kIf
  kFor,       // target, iterable, condition or null, kBlock, optional else kBlock
  kMacro,     // name; kParameter…, kBlock last
  kBreak,
  kContinue,
  // Expressions.
  kConstant,   // value
  kName,       // name
  kTuple,      // elements; also a list
  kDict,       // key, value, key, value…
  kMember,     // object; name
  kIndex,      // object, index
  kSlice,      // object, begin, end, step; null where not given
  kCall,       // function, arguments; kKeyword for named ones
  kKeyword,    // name; value
  kParameter,  // name; optional default
  kFilter,     // input, arguments; name
  kTest,       // input, arguments; name
  kNot,
  kNegate,
  kBinary,     // left, right; name is the operator
  kChoice,     // condition, then, else or null
};

struct Node {
  Kind kind = Kind::kBlock;
  uint32_t line = 0;
  std::string name;
  Value value;
  std::vector<std::unique_ptr<Node>> children;
};
using NodePtr = std::unique_ptr<Node>;

// What stands between the braces of a tag, cut into words.
struct Token {
  enum class Kind : uint8_t { kText, kName, kNumber, kString, kSymbol, kOpen, kClose, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // kOpen: "{{" or "{%"; kClose: "}}" or "%}"
  uint32_t line = 1;
};

Result<std::vector<Token>> Scan(std::string_view source);
Result<NodePtr> Parse(std::string_view source);

}  // namespace portcullis::inference::jinja
