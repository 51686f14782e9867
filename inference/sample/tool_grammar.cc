#include "inference/sample/tool_grammar.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <utility>

#include "inference/sample/grammar/schema.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;
using grammar::Grammar;
using grammar::StateId;

class Builder {
 public:
  Builder(const Tokenizer& tokenizer, const AnswerGrammarOptions& options, Grammar& g, int64_t& effort)
      : tokenizer_(tokenizer), options_(options), marks_(MarksOf(options.format)), g_(g), effort_(effort) {}

  Result<StateId> Calls() {
    const StateId end = Mark(marks_.close, Grammar::kReturn);
    const StateId more = g_.Forward();
    BOOST_OUTCOME_TRY(const StateId call, Call(more));
    std::vector<StateId> after = {end};
    if (options_.several && options_.format != ToolFormat::kBareJson) {
      const StateId again = Mark(marks_.call_open, call);
      after.push_back(g_.Split({again, g_.Literal("\n", again)}));
    }
    g_.FillSplit(more, std::move(after));
    if (options_.after_mark) {
      return options_.format == ToolFormat::kTagged ? call : Mark(marks_.call_open, call);
    }
    return Mark(marks_.open, Mark(marks_.call_open, call));
  }

  StateId Object(StateId next) { return g_.Call(g_.object_rule, next); }

 private:
  // A control token where the vocabulary has one.
  StateId Mark(const std::string& mark, StateId next) {
    if (mark.empty()) return next;
    const TokenId id = tokenizer_.Control(mark);
    return id == kNoToken ? g_.Literal(mark, next) : g_.Token(id, next);
  }

  Result<StateId> Call(StateId next) {
    std::vector<StateId> calls;
    for (const json::value& tool : options_.tools) {
      const json::object& function = tool.at("function").as_object();
      BOOST_OUTCOME_TRY(const StateId call, OneCall(function, next));
      calls.push_back(call);
    }
    const StateId any = g_.Split(std::move(calls));
    const bool tagged = options_.format == ToolFormat::kTagged;
    if (tagged || options_.format == ToolFormat::kBareJson) {
      const StateId name = g_.Literal("\"name\":", g_.Split({any, g_.Literal(" ", any)}));
      return g_.Space(g_.Literal("{", g_.Space(name)));
    }
    if (options_.format == ToolFormat::kDeepSeek) return g_.Literal("function", Mark(marks_.separator, any));
    return any;
  }

  Result<StateId> OneCall(const json::object& function, StateId next) {
    const std::string name(function.at("name").as_string());
    switch (options_.format) {
      case ToolFormat::kTagged:
      case ToolFormat::kBareJson: {
        const bool tagged = options_.format == ToolFormat::kTagged;
        const StateId close = tagged ? g_.Space(Mark(marks_.call_close, next)) : next;
        BOOST_OUTCOME_TRY(const StateId arguments,
                          Arguments(function, g_.Space(g_.Literal("}", close))));
        const StateId key = g_.Literal(tagged ? "\"arguments\":" : "\"parameters\":",
                                       g_.Split({arguments, g_.Literal(" ", arguments)}));
        return g_.Literal(json::serialize(json::string(name)), g_.Literal(",", g_.Space(key)));
      }
      case ToolFormat::kDeepSeek: {
        BOOST_OUTCOME_TRY(const StateId arguments,
                          Arguments(function, g_.Literal("\n```", Mark(marks_.call_close, next))));
        return g_.Literal(name + "\n```json\n", arguments);
      }
      case ToolFormat::kDeepSeekPlain: {
        BOOST_OUTCOME_TRY(const StateId arguments,
                          Arguments(function, Mark(marks_.call_close, next)));
        return g_.Literal(name, Mark(marks_.separator, arguments));
      }
    }
    return next;
  }

  Result<StateId> Arguments(const json::object& function, StateId next) {
    const json::value* schema = function.if_contains("parameters");
    if (schema == nullptr || schema->is_null()) return Object(next);
    const json::value* strict = function.if_contains("strict");
    const bool must = strict != nullptr && strict->is_bool() && strict->get_bool();
    // On a grammar of its own first: a schema that cannot be enforced leaves nothing behind.
    Grammar trial;
    auto state = grammar::CompileSchema(trial, *schema, Grammar::kReturn, effort_);
    if (state) {
      trial.set_root(state.value());
      const auto finished = trial.Finish();
      if (finished) return grammar::CompileSchema(g_, *schema, next, effort_);
      state = finished.error();
    }
    if (effort_ < 0) {
      return Error{Code::kTooLarge, "the schemas of the tools take too long to compile; make them smaller"};
    }
    if (!must) return Object(next);
    return Error{Code::kInvalidArgument, "tool `" + std::string(function.at("name").as_string()) +
                                             "`: " + state.error().message};
  }

  const Tokenizer& tokenizer_;
  const AnswerGrammarOptions& options_;
  const ToolMarks marks_;
  Grammar& g_;
  int64_t& effort_;  // shared by all schemas of the request
};

}  // namespace

ToolMarks MarksOf(ToolFormat format) {
  switch (format) {
    case ToolFormat::kTagged:
      return {"", "<tool_call>", "", "</tool_call>", ""};
    case ToolFormat::kDeepSeek:
    case ToolFormat::kDeepSeekPlain:
      return {"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>",
              "<｜tool▁calls▁end｜>"};
    case ToolFormat::kBareJson:
      return {"", "", "", "", ""};
  }
  return {};
}

Result<std::shared_ptr<const Grammar>> AnswerGrammar(const Tokenizer& tokenizer,
                                                     const AnswerGrammarOptions& options) {
  auto g = std::make_shared<Grammar>();
  int64_t effort = grammar::kSchemaEffort;
  Builder builder(tokenizer, options, *g, effort);
  std::vector<StateId> options_at_root;
  if (!options.tools.empty()) {
    BOOST_OUTCOME_TRY(const StateId calls, builder.Calls());
    options_at_root.push_back(calls);
  }
  if (options.schema != nullptr) {
    BOOST_OUTCOME_TRY(const StateId value, grammar::CompileSchema(*g, *options.schema, Grammar::kReturn, effort));
    options_at_root.push_back(value);
  } else if (options.any_object) {
    options_at_root.push_back(builder.Object(Grammar::kReturn));
  }
  const StateId start = g->Split(std::move(options_at_root));
  // White space that models put between their reasoning and the answer.
  g->set_root(options.after_mark ? start : g->Space(g->Space(start)));
  const auto finished = g->Finish();
  if (!finished) {
    return Error{Code::kInvalidArgument, "the schema cannot be enforced at `#`: " + finished.error().message};
  }
  return std::shared_ptr<const Grammar>(std::move(g));
}

}  // namespace portcullis::inference
