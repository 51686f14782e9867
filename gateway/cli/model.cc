// `portcullis model …`: look at a model, check it, convert it and run it offline, without the
// engine's process. Thin: the work is in inference/.
#include "gateway/cli/model.h"

#include "inference/model/pack_source.h"
#include "inference/ops/pack_cache.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::cli {

std::string Shown(std::string_view text) {
  const std::string valid = inference::Scrub(text);
  std::string out;
  for (size_t i = 0; i < valid.size(); ++i) {
    const auto c = static_cast<unsigned char>(valid[i]);
    const bool c1 = c == 0xC2 && static_cast<unsigned char>(valid[i + 1]) < 0xA0;
    if (c < 0x20 || c == 0x7F || c1) {
      out += "\xEF\xBF\xBD";
      if (c1) ++i;
    } else {
      out += valid[i];
    }
  }
  return out;
}

inference::Result<std::unique_ptr<inference::Model>> LoadModel(const ModelOptions& options,
                                                               inference::Precision precision) {
  inference::LoadOptions load;
  load.threads = options.threads;
  load.hash = false;
  load.precision = precision;
  return inference::Model::Load(options.model, load);
}

inference::Result<PackedForm> FindPackedForm(const std::string& model, const std::string& folder,
                                             const std::string& sha256) {
  BOOST_OUTCOME_TRY(const auto weights, inference::Weights::Open(model));
  const auto place = folder.empty() ? inference::FolderOf(weights) : std::filesystem::path(folder);
  PackedForm form;
  form.file = inference::PackCachePath(place, weights);
  std::error_code ignored;
  form.present = std::filesystem::exists(std::filesystem::symlink_status(form.file, ignored));
  const auto source = inference::PackSourceOf(weights, sha256);
  const inference::PackCacheReader reader(form.file, source.identity);
  form.matrices = static_cast<int64_t>(reader.size());
  return form;
}

void AddModel(CLI::App& app, Context& context) {
  CLI::App* model = app.add_subcommand("model", "look at a model, check it and run it offline");
  model->require_subcommand(1);
  AddModelInfo(*model, context);
  AddModelLogits(*model, context);
  AddModelGenerate(*model, context);
  AddModelVerify(*model, context);
  AddModelQuantize(*model, context);
  AddModelBench(*model, context);
}

}  // namespace portcullis::cli
