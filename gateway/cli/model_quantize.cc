// `portcullis model quantize IN OUT --type T`: a Hugging Face folder or a GGUF file to a GGUF file
// of another type.
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <iostream>
#include <thread>

#include "gateway/cli/model.h"
#include "inference/model/convert.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

struct QuantizeOptions {
  std::string input, output, type = "Q4_K_M";
  int threads = 0;
};

Result<void> Quantize(const Context& context, const QuantizeOptions& options) {
  BOOST_OUTCOME_TRY(const auto mix, inference::QuantMix::Named(options.type));
  const bool terminal = isatty(STDERR_FILENO) == 1;
  int told = -1;
  inference::ConvertOptions convert{mix};
  convert.threads = options.threads > 0
                        ? options.threads
                        : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  convert.progress = [&](double fraction, std::string_view tensor) {
    const int percent = static_cast<int>(fraction * 100);
    if (percent == told || (!terminal && percent < told + 10 && percent < 100)) return;
    told = percent;
    if (terminal) {
      std::cerr << "\r\x1b[K" << percent << " %  " << tensor << (percent == 100 ? "\n" : "");
    } else {
      std::cerr << percent << " percent\n";
    }
    std::cerr.flush();
  };
  BOOST_OUTCOME_TRY(const auto report,
                    inference::ConvertToGguf(options.input, options.output, convert));
  if (!report.notes.empty()) std::cerr << "note: " << report.notes << '\n';
  const double bits = 8.0 * static_cast<double>(report.bytes) /
                      static_cast<double>(std::max<int64_t>(1, report.parameters));
  if (context.json) {
    const json::object body = {{"schema", "portcullis.model.quantize/1"},
                               {"output", options.output},
                               {"type", mix.name()},
                               {"tensors", report.tensors},
                               {"parameters", report.parameters},
                               {"bytes", report.bytes},
                               {"bits_per_weight", bits},
                               {"notes", report.notes}};
    std::cout << json::serialize(body) << '\n';
  } else {
    std::cout << options.output << ": " << mix.name() << ", " << report.tensors << " tensors, "
              << report.bytes << " bytes, " << std::round(bits * 100) / 100
              << " bits per weight\n";
  }
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelQuantize(CLI::App& model, Context& context) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command =
      model.add_subcommand("quantize", "convert a model to a GGUF file of another type");
  command->add_option("input", options->input, "model folder (safetensors) or GGUF file")
      ->required();
  command->add_option("output", options->output, "the GGUF file to write")->required();
  command->add_option("--type", options->type, inference::QuantMix::Names());
  command->add_option("--threads", options->threads, "converting threads; 0: one a core")
      ->check(CLI::Range(0, 1024));
  command->callback([options, &context] {
    const auto result = Quantize(context, *options);
    if (!result) Fail(context, kUsage, result.error().message);
  });
}

}  // namespace portcullis::cli
