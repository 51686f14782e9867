// `portcullis model info`: what the files say about a model.
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>

#include "gateway/cli/model.h"
#include "inference/engine.h"
#include "inference/model/check_values.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

std::string Plain(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

std::string RopeText(const inference::RopeConfig& rope) {
  std::string text = "theta " + Plain(rope.theta);
  using inference::RopeScaling;
  switch (rope.scaling) {
    case RopeScaling::kNone: return text;
    case RopeScaling::kLinear: text += ", linear"; break;
    case RopeScaling::kLlama3: text += ", llama3"; break;
    case RopeScaling::kYarn: text += ", yarn"; break;
  }
  text += " by " + Plain(rope.factor);
  if (rope.original_context > 0) text += " beyond " + std::to_string(rope.original_context);
  return text;
}

std::string ExpertsText(const inference::MoeConfig& moe) {
  if (moe.experts == 0) return "none";
  std::string text = std::to_string(moe.experts_used) + " of " + std::to_string(moe.experts) +
                     " a token, " + std::to_string(moe.shared_experts) + " shared, by " +
                     (moe.sigmoid ? "sigmoid" : "softmax");
  if (moe.groups > 1) {
    text += ", from " + std::to_string(moe.groups_used) + " of " + std::to_string(moe.groups) +
            " groups";
  }
  return text;
}

struct InfoOptions : ModelOptions {
  std::string pack_cache;
};

Result<void> Info(const Context& context, const InfoOptions& options) {
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
  BOOST_OUTCOME_TRY(const auto config, inference::ConfigAt(options.model));
  BOOST_OUTCOME_TRY(const auto contents, inference::ListContents(options.model));
  json::object types;
  for (const auto& [type, bytes] : contents.bytes_by_type) types[Shown(type)] = bytes;
  json::object body;
  body["schema"] = "portcullis.model.info/1";
  body["name"] = Shown(info.name);
  body["architecture"] = info.architecture;
  body["weight_type"] = info.weight_type;
  body["parameters"] = info.parameters;
  body["bytes"] = info.bytes;
  body["layers"] = info.layers;
  body["hidden_size"] = info.hidden_size;
  body["vocab_size"] = info.vocab_size;
  body["context_length"] = info.context_length;
  if (info.sliding_window > 0) {
    body["context_ends_with"] = "sliding_window " + std::to_string(info.sliding_window);
  }
  body["kv_bytes_at_full_context"] = model->SequenceBytes(info.context_length);
  body["heads"] = config.heads;
  body["kv_heads"] = config.kv_heads;
  body["rope"] = RopeText(config.rope);
  body["experts"] = ExpertsText(config.moe);
  body["multi_token_prediction_layers"] = config.draft_layers;
  body["tied_embeddings"] = config.tied_embeddings;
  body["bytes_by_type"] = std::move(types);
  body["files"] = contents.files.size();
  body["chat_template"] = Shown(chat);
  body["sha256"] = info.sha256;
  BOOST_OUTCOME_TRY(const auto packed,
                    FindPackedForm(options.model, options.pack_cache, info.sha256));
  if (packed.matrices > 0) {
    body["packed"] = packed.file.string() + " (" + std::to_string(packed.matrices) + " matrices)";
  } else {
    body["packed"] = packed.present ? packed.file.string() + " is damaged or of another model"
                                    : std::string("none");
  }
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
  const auto [app, options] = AddModelCommand<InfoOptions>(
      model, context, "info", "what the files say about the model", Info);
  app->add_option("--pack-cache", options->pack_cache,
                  "folder of the packed form; without it the model's");
}

}  // namespace portcullis::cli
