// `portcullis model logits`: the exact logits after given tokens, one JSON document.
#include <charconv>
#include <iostream>

#include "gateway/cli/model.h"

namespace portcullis::cli {
namespace {

using inference::Result;

struct LogitsOptions : ModelOptions {
  std::string tokens;
};

Result<std::vector<int32_t>> ParseTokens(std::string_view text) {
  std::vector<int32_t> tokens;
  while (true) {
    const std::string_view item = text.substr(0, text.find(','));
    int32_t id = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (error != std::errc() || end != item.data() + item.size()) {
      return inference::Error{inference::Code::kInvalidArgument,
                              "--tokens: `" + std::string(item.substr(0, 40)) +
                                  "` is not a token id; write them as 1,2,3"};
    }
    tokens.push_back(id);
    if (item.size() == text.size()) return tokens;
    text.remove_prefix(item.size() + 1);
  }
}

Result<void> Logits(const Context& context, const LogitsOptions& options) {
  BOOST_OUTCOME_TRY(const auto tokens, ParseTokens(options.tokens));
  BOOST_OUTCOME_TRY(const auto model, LoadModel(options, inference::Precision::kExact));
  BOOST_OUTCOME_TRY(auto sequence, model->NewSequence(static_cast<int64_t>(tokens.size())));
  std::vector<float> logits(static_cast<size_t>(model->info().vocab_size));
  const inference::Step step{sequence.get(), tokens, inference::LogitRows::kLast};
  BOOST_OUTCOME_TRY(model->Forward(std::span(&step, 1), logits));
  std::string out =
      context.json ? R"({"schema":"portcullis.model.logits/1","logits":[)" : R"({"logits":[)";
  for (size_t i = 0; i < logits.size(); ++i) {
    char number[32];
    const auto end = std::to_chars(number, number + sizeof number, logits[i]).ptr;
    if (i > 0) out += ',';
    out.append(number, end);
  }
  std::cout << out << "]}\n";
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelLogits(CLI::App& model, Context& context) {
  const auto command = AddModelCommand<LogitsOptions>(
      model, context, "logits", "the logits after the last of the given tokens, as JSON", Logits);
  command.app->add_option("--tokens", command.options->tokens, "token ids, as 1,2,3")->required();
}

}  // namespace portcullis::cli
