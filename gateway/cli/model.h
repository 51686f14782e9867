// Shared by the files of `portcullis model …`, one file a command or two. Each command adds itself to
// the `model` command; Options live as long as the application. Unusable files and arguments are
// exit code 1, files that were checked and found bad are exit code 3.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/cli/command.h"
#include "inference/arch/model.h"

namespace portcullis::cli {

// Text of a foreign file, fit for a terminal and for JSON: bytes that are no UTF-8 and control
// characters become U+FFFD.
std::string Shown(std::string_view text);

// What all of these commands know.
struct ModelOptions {
  std::string model;
  int threads = 0;
};

template <class Options>
struct ModelCommand {
  CLI::App* app;
  std::shared_ptr<Options> options;
};

// Adds `name` with --model and --threads. `action` is called with the context and the options,
// which derive from ModelOptions, and gives a Result<void>.
template <class Options, class Action>
ModelCommand<Options> AddModelCommand(CLI::App& model, Context& context, const char* name,
                                      const char* help, Action action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = model.add_subcommand(name, help);
  command->add_option("--model,model", options->model, "model folder (safetensors) or GGUF file")
      ->required();
  command->add_option("--threads", options->threads, "computing threads; 0: one a core")
      ->check(CLI::Range(0, 1024));
  command->callback([options, action, &context] {
    const auto result = action(context, *options);
    if (!result) Fail(context, kUsage, Shown(result.error().message));
  });
  return {command, std::move(options)};
}

inference::Result<std::unique_ptr<inference::Model>> LoadModel(const ModelOptions& options,
                                                               inference::Precision precision);

// The packed form that lies beside a model, or in `folder` where that is not empty.
struct PackedForm {
  std::filesystem::path file;
  bool present = false;
  int64_t matrices = 0;  // 0: it is damaged, or of another model
};
inference::Result<PackedForm> FindPackedForm(const std::string& model, const std::string& folder,
                                             const std::string& sha256);

void AddModelInfo(CLI::App& model, Context& context);
void AddModelLogits(CLI::App& model, Context& context);
void AddModelGenerate(CLI::App& model, Context& context);
void AddModelBench(CLI::App& model, Context& context);
void AddModelVerify(CLI::App& model, Context& context);
void AddModelQuantize(CLI::App& model, Context& context);

}  // namespace portcullis::cli
