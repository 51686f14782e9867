#include "inference/serve/plan.h"

#include <boost/json/object.hpp>
#include <utility>

#include "inference/sample/tool_grammar.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr const char* kPythonTag = "<|python_tag|>";

std::string NameOf(const json::value& tool) {
  return std::string(tool.as_object().at("function").as_object().at("name").as_string());
}

ApiError BadSchema(const Error& error) {
  const bool tool = error.message.starts_with("tool ");
  return BadField(tool ? "tools" : "response_format", error.message, "unsupported_schema");
}

}  // namespace

std::shared_ptr<grammar::SharedMasks> Planner::Masks() {
  if (!masks_) masks_ = std::make_shared<grammar::SharedMasks>(engine_.tokenizer().vocab());
  return masks_;
}

ApiResult<void> Planner::Plan(const Call& call, const Prompt& prompt, SamplingOptions& sampling,
                              AnswerOptions& answer) {
  const ChatTemplate& chat = engine_.chat_template();
  const json::array& tools = call.chat_options.tools;
  AnswerGrammarOptions wanted;
  wanted.format = chat.tool_format();
  wanted.several = call.parallel_tool_calls && call.tool_choice != ToolChoice::kNamed;
  for (const json::value& tool : tools) {
    answer.tool_names.push_back(NameOf(tool));
    if (call.tool_choice != ToolChoice::kNamed || NameOf(tool) == call.tool_name) {
      wanted.tools.push_back(tool);
    }
  }
  if (!tools.empty()) answer.tools = wanted.format;

  auto plan = std::make_shared<GuidePlan>();
  const bool must_call =
      call.tool_choice == ToolChoice::kRequired || call.tool_choice == ToolChoice::kNamed;
  const bool json_answer = call.format != AnswerFormat::kText && !must_call;
  if (json_answer) {
    wanted.any_object = call.format == AnswerFormat::kJsonObject;
    if (!wanted.any_object) wanted.schema = &call.schema;
  }
  if (must_call || json_answer) {
    auto grammar = AnswerGrammar(engine_.tokenizer(), wanted);
    if (!grammar) return BadSchema(grammar.error());
    plan->answer = std::move(grammar).value();
  } else if (!tools.empty()) {
    wanted.after_mark = true;
    auto grammar = AnswerGrammar(engine_.tokenizer(), wanted);
    if (!grammar) return BadSchema(grammar.error());
    plan->call = std::move(grammar).value();
    const ToolMarks marks = MarksOf(wanted.format);
    plan->call_from_brace = wanted.format == ToolFormat::kBareJson;
    plan->call_marks = {plan->call_from_brace ? kPythonTag
                        : marks.open.empty()  ? marks.call_open
                                              : marks.open};
  }
  if (!plan->answer && !plan->call && call.thinking_budget < 0) return boost::outcome_v2::success();
  plan->tokenizer = &engine_.tokenizer();
  plan->masks = Masks();
  plan->thinking_open = prompt.thinking_open;
  plan->may_think = chat.reasons() && call.chat_options.thinking != false && !prompt.thinking_open;
  plan->thinking_budget = call.thinking_budget;
  sampling.guide = std::move(plan);
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference
