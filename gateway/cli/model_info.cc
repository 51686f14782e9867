// `portcullis model info`: what the files say about a model.
#include <boost/json.hpp>
#include <iostream>

#include "gateway/cli/model.h"
#include "inference/engine.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

Result<void> Info(const Context& context, const ModelOptions& options) {
  inference::LoadOptions load;
  load.threads = options.threads;
  BOOST_OUTCOME_TRY(const auto model, inference::Model::Load(options.model, load));
  const inference::ModelInfo& info = model->info();
  const auto tokenizer = inference::LoadTokenizer(*model);
  std::string chat = "none: " + (tokenizer ? std::string() : tokenizer.error().message);
  if (tokenizer) {
    const auto known = inference::ChatTemplate::Recognise(*tokenizer.value());
    chat = known ? std::string(known.value().family_name()) : "unknown: " + known.error().message;
  }
  json::object body;
  body["schema"] = "portcullis.model.info/1";
  body["name"] = info.name;
  body["architecture"] = info.architecture;
  body["weight_type"] = info.weight_type;
  body["parameters"] = info.parameters;
  body["bytes"] = info.bytes;
  body["layers"] = info.layers;
  body["hidden_size"] = info.hidden_size;
  body["vocab_size"] = info.vocab_size;
  body["context_length"] = info.context_length;
  body["kv_bytes_at_full_context"] = model->SequenceBytes(info.context_length);
  body["chat_template"] = chat;
  body["sha256"] = info.sha256;
  if (context.json) {
    std::cout << json::serialize(body) << '\n';
    return boost::outcome_v2::success();
  }
  for (const auto& entry : body) {
    if (entry.key() == "schema") continue;
    const json::value& value = entry.value();
    std::cout << std::string(entry.key()) << ": "
              << (value.is_string() ? std::string(value.get_string()) : json::serialize(value))
              << '\n';
  }
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelInfo(CLI::App& model, Context& context) {
  AddModelCommand<ModelOptions>(model, context, "info", "what the files say about the model", Info);
}

}  // namespace portcullis::cli
