// `portcullis model quantize IN OUT --type T`: a Hugging Face folder or a GGUF file to a GGUF file
// of another type. With --packed, also (or, without OUT, only) to our packed form: the tiles that
// the engine's kernels read (inference/FORMAT.md), in a file beside the model or in a folder, so
// that not even the first start has to pack.
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <iostream>
#include <thread>

#include "gateway/cli/model.h"
#include "inference/model/convert.h"
#include "inference/model/pack_source.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

struct QuantizeOptions {
  std::string input, output, type = "Q4_K_M", packed_folder;
  bool packed = false;
  int threads = 0;
};

Result<json::object> WritePacked(const std::string& model_path, const QuantizeOptions& options) {
  std::filesystem::path folder = options.packed_folder;
  if (folder.empty()) {
    BOOST_OUTCOME_TRY(const auto weights, inference::Weights::Open(model_path));
    folder = inference::FolderOf(weights);
  }
  inference::LoadOptions load;
  load.threads = options.threads;
  load.precision = inference::Precision::kFast;
  load.draft_head = true;  // so that its matrices are packed as well
  load.pack_cache = folder;
  load.pack_saving = inference::PackSaving::kAlways;
  BOOST_OUTCOME_TRY(const auto model, inference::Model::Load(model_path, load));
  const auto report = model->packed();
  if (report.matrices == 0) {
    return inference::Error{inference::Code::kUnsupported,
                            "`" + model_path + "` (" + model->info().weight_type +
                                ") holds nothing that has a packed form; the types Q4_0 to Q8_0 "
                                "and the K types have one: give --type and an output file"};
  }
  if (!report.saved && report.cached < report.matrices) {
    return inference::Error{inference::Code::kIo,
                            "cannot write `" + report.file.string() +
                                "`: the folder must exist, be writable and have room for " +
                                std::to_string(report.bytes) + " bytes"};
  }
  const auto& file = report.saved ? report.file : report.used;
  return json::object{{"file", file.string()},
                      {"matrices", report.matrices},
                      {"bytes", report.bytes},
                      {"written", report.saved}};
}

Result<json::object> Convert(const QuantizeOptions& options) {
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
      std::cerr << "\r\x1b[K" << percent << " %  " << Shown(tensor) << (percent == 100 ? "\n" : "");
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
  return json::object{{"output", options.output},        {"type", mix.name()},
                      {"tensors", report.tensors},       {"parameters", report.parameters},
                      {"bytes", report.bytes},           {"bits_per_weight", bits},
                      {"notes", report.notes}};
}

void Print(const json::object& body) {
  if (body.contains("output")) {
    const double bits = body.at("bits_per_weight").to_number<double>();
    std::cout << body.at("output").as_string().c_str() << ": "
              << body.at("type").as_string().c_str() << ", " << body.at("tensors")
              << " tensors, " << body.at("bytes") << " bytes, " << std::round(bits * 100) / 100
              << " bits per weight\n";
  }
  if (const auto* value = body.if_contains("packed")) {
    const auto& packed = value->as_object();
    std::cout << packed.at("file").as_string().c_str() << ": "
              << (packed.at("written").as_bool() ? "" : "there already, ") << packed.at("matrices")
              << " packed matrices, " << packed.at("bytes") << " bytes\n";
  }
}

Result<void> Quantize(const Context& context, const QuantizeOptions& options) {
  const bool packed = options.packed || !options.packed_folder.empty();
  if (options.output.empty() && !packed) {
    return inference::Error{inference::Code::kInvalidArgument,
                            "give the GGUF file to write, or --packed to pack the model as it is"};
  }
  json::object body = {{"schema", "portcullis.model.quantize/1"}};
  if (!options.output.empty()) {
    BOOST_OUTCOME_TRY(auto converted, Convert(options));
    for (auto& [key, value] : converted) body[key] = std::move(value);
  }
  if (packed) {
    BOOST_OUTCOME_TRY(body["packed"], WritePacked(
        options.output.empty() ? options.input : options.output, options));
  }
  if (context.json) {
    std::cout << json::serialize(body) << '\n';
  } else {
    Print(body);
  }
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelQuantize(CLI::App& model, Context& context) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command =
      model.add_subcommand("quantize", "convert a model to a GGUF file of another type, or to "
                                      "our packed form");
  command->add_option("input", options->input, "model folder (safetensors) or GGUF file")
      ->required();
  command->add_option("output", options->output, "the GGUF file to write");
  command->add_option("--type", options->type, inference::QuantMix::Names());
  command->add_flag("--packed", options->packed,
                    "write the packed form as well, beside the model; without an output file: only "
                    "that, of the model as it is");
  command->add_option("--out", options->packed_folder,
                      "folder for the packed form, the engine's --pack-cache then");
  command->add_option("--threads", options->threads, "converting threads; 0: one a core")
      ->check(CLI::Range(0, 1024));
  command->callback([options, &context] {
    const auto result = Quantize(context, *options);
    if (!result) Fail(context, kUsage, Shown(result.error().message));
  });
}

}  // namespace portcullis::cli
