// A JSON schema compiled for a test: whether it is refused, and which texts it takes.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "inference/sample/grammar/matcher.h"
#include "inference/sample/grammar/schema.h"

namespace portcullis::inference {

struct Compiled {
  grammar::Grammar grammar;
  int64_t effort = grammar::kSchemaEffort;
  std::string refusal;  // empty: none

  explicit Compiled(const boost::json::value& schema) {
    const auto root = grammar::CompileSchema(grammar, schema, grammar::Grammar::kReturn, effort);
    if (!root) {
      refusal = root.error().message;
      return;
    }
    grammar.set_root(root.value());
    const auto finished = grammar.Finish();
    if (!finished) refusal = finished.error().message;
  }

  bool Takes(std::string_view text) const {
    grammar::Matcher matcher(grammar);
    const grammar::SetId end = matcher.Walk(matcher.Start(), text);
    return end != grammar::kDead && matcher.Ends(end);
  }
};

}  // namespace portcullis::inference
