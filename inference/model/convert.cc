#include "inference/model/convert.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#include "inference/model/convert_plan.h"
#include "inference/model/quantize.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kChunkValues = 4 << 20;

enum Trouble { kNone, kNotFinite, kTooLarge };

float LargestOf(DataType type) {
  constexpr float kLargestHalf = 65504.0f;
  // Scales are halves; a scale times the largest integer is what a block's peak may be.
  switch (type) {
    case DataType::kF32: case DataType::kBF16: return std::numeric_limits<float>::max();
    default: return kLargestHalf;
  }
}

Result<void> WriteTensor(const convert::PlannedTensor& tensor, DataType type, int threads,
                         gguf::Writer& writer) {
  const int64_t columns = tensor.shape.back();
  int64_t rows = 1;
  for (const int64_t size : tensor.shape) rows *= size;
  rows /= columns;
  const auto layout = LayoutOf(type);
  const int64_t row_bytes = columns / layout.elements * layout.bytes;
  const int64_t chunk = std::max<int64_t>(1, kChunkValues / columns);
  const float largest = LargestOf(type);
  std::vector<std::byte> bytes;
  std::atomic<int> trouble{kNone};
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    bytes.resize(static_cast<size_t>(count * row_bytes));
    std::atomic<int64_t> next{0};
    const auto work = [&] {
      std::vector<float> row(static_cast<size_t>(columns));
      for (int64_t i = next++; i < count; i = next++) {
        tensor.read(begin + i, row.data());
        for (const float value : row) {
          if (!std::isfinite(value)) trouble = kNotFinite;
          else if (std::fabs(value) > largest && trouble == kNone) trouble = kTooLarge;
        }
        if (trouble != kNone) return;
        QuantizeWeights(type, row.data(), columns, {}, bytes.data() + i * row_bytes);
      }
    };
    std::vector<std::jthread> pool;
    for (int i = 1; i < threads && i < count; ++i) pool.emplace_back(work);
    work();
    pool.clear();
    if (trouble == kNotFinite) {
      return Error{Code::kBadTensor, "tensor `" + tensor.name +
                                         "` holds values that are not finite: the model is "
                                         "damaged; nothing was written"};
    }
    if (trouble == kTooLarge) {
      return Error{Code::kBadTensor, "tensor `" + tensor.name + "` holds values beyond what " +
                                         std::string(NameOf(type)) +
                                         " can express; convert to BF16 or F32"};
    }
    BOOST_OUTCOME_TRY(writer.Write(bytes));
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<ConvertReport> ConvertToGguf(const std::filesystem::path& input,
                                    const std::filesystem::path& output,
                                    const ConvertOptions& options) {
  BOOST_OUTCOME_TRY(const auto weights, Weights::Open(input));
  for (const auto* file : weights.files()) {
    std::error_code ignored;
    if (std::filesystem::equivalent(file->path(), output, ignored)) {
      return Error{Code::kInvalidArgument, "`" + output.string() + "` is the model that is read"};
    }
  }
  BOOST_OUTCOME_TRY(auto plan, weights.gguf() != nullptr ? convert::PlanFromGguf(weights)
                                                         : convert::PlanFromFolder(weights));
  plan.writer.SetInt("general.file_type", options.mix.gguf_file_type());
  plan.writer.SetInt("general.quantization_version", 2);
  ConvertReport report;
  std::vector<DataType> types;
  for (const auto& tensor : plan.tensors) {
    types.push_back(options.mix.TypeFor(tensor.name, tensor.shape, plan.layers, plan.tied));
    BOOST_OUTCOME_TRY(plan.writer.AddTensor(tensor.name, types.back(), tensor.shape));
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= size;
    report.parameters += elements;
  }
  BOOST_OUTCOME_TRY(plan.writer.Begin(output));
  int64_t done = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    auto& tensor = plan.tensors[i];
    if (options.progress) {
      options.progress(static_cast<double>(done) / static_cast<double>(report.parameters),
                       tensor.name);
    }
    BOOST_OUTCOME_TRY(WriteTensor(tensor, types[i], std::max(1, options.threads), plan.writer));
    tensor.read = nullptr;  // and what it holds
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= size;
    done += elements;
  }
  BOOST_OUTCOME_TRY(plan.writer.Finish());
  if (options.progress) options.progress(1.0, "");
  report.tensors = static_cast<int64_t>(plan.tensors.size());
  std::error_code ignored;
  report.bytes = static_cast<int64_t>(std::filesystem::file_size(output, ignored));
  report.notes = plan.notes;
  return report;
}

}  // namespace portcullis::inference
