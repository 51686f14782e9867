// `portcullis model …`: look at a model, check it, convert it and run it offline, without the
// engine's process. Thin: the work is in inference/.
#include "gateway/cli/model.h"

namespace portcullis::cli {

inference::Result<std::unique_ptr<inference::Model>> LoadModel(const ModelOptions& options,
                                                               inference::Precision precision) {
  inference::LoadOptions load;
  load.threads = options.threads;
  load.hash = false;
  load.precision = precision;
  return inference::Model::Load(options.model, load);
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
