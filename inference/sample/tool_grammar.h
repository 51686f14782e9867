// Grammars of answers: a JSON document, or calls of tools in a family's own format, with names and
// arguments that fit. Built once a request. Failure: kInvalidArgument, naming the tool and the place
// in its schema.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>

#include "inference/sample/grammar/grammar.h"
#include "inference/tokenizer/message.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

// The marks of a format, in the order in which an answer has them.
struct ToolMarks {
  std::string open;       // before all calls; after it the format is certain
  std::string call_open;  // before a call
  std::string separator;
  std::string call_close;
  std::string close;
};
ToolMarks MarksOf(ToolFormat format);

struct AnswerGrammarOptions {
  ToolFormat format = ToolFormat::kTagged;
  // Which of these may be called; empty: none.
  boost::json::array tools{};
  bool several = true;      // more than one call
  bool after_mark = false;  // the text begins behind the first mark
  // A schema for content instead of calls; null: content is not allowed, unless `any_object`.
  const boost::json::value* schema = nullptr;
  bool any_object = false;
};

Result<std::shared_ptr<const grammar::Grammar>> AnswerGrammar(const Tokenizer& tokenizer,
                                                              const AnswerGrammarOptions& options);

}  // namespace portcullis::inference
