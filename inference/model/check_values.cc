#include "inference/model/check_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "inference/model/weights.h"
#include "inference/ops/dequantize.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kChunk = 4096;  // whole blocks of every type

BadValues CheckTensor(const Tensor& tensor, std::atomic<int64_t>& done) {
  BadValues bad{tensor.name, 0, std::numeric_limits<int64_t>::max()};
  const auto layout = LayoutOf(tensor.type);
  const int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
  std::vector<float> values(kChunk);
  // Rows lie one after the other, so that a chunk may begin anywhere.
  const int64_t elements = tensor.elements();
  for (int64_t begin = 0; begin < elements; begin += kChunk) {
    const int64_t count = std::min(kChunk, elements - begin);
    DequantizeRow(tensor.type, tensor.bytes.data() + begin / layout.elements * layout.bytes, count,
                  values.data());
    for (int64_t i = 0; i < count; ++i) {
      if (std::isfinite(values[static_cast<size_t>(i)])) continue;
      ++bad.count;
      bad.first_row = std::min(bad.first_row, (begin + i) / columns);
    }
    done.fetch_add(count / layout.elements * layout.bytes, std::memory_order_relaxed);
  }
  return bad;
}

}  // namespace

Result<Contents> ListContents(const std::filesystem::path& folder_or_gguf) {
  BOOST_OUTCOME_TRY(const auto weights, Weights::Open(folder_or_gguf));
  Contents contents;
  for (const auto* file : weights.files()) contents.files.push_back(file->path());
  contents.is_gguf = weights.gguf() != nullptr;
  for (const Tensor* tensor : weights.tensors()) {
    ++contents.tensors;
    contents.parameters += tensor->elements();
    contents.bytes_by_type[tensor->type_name] += static_cast<int64_t>(tensor->bytes.size());
  }
  return contents;
}

Result<ModelConfig> ConfigAt(const std::filesystem::path& folder_or_gguf) {
  BOOST_OUTCOME_TRY(const auto weights, Weights::Open(folder_or_gguf));
  return ConfigOf(weights);
}

Result<std::vector<BadValues>> FindBadValues(const std::filesystem::path& folder_or_gguf,
                                             int threads, std::atomic<int64_t>& done) {
  BOOST_OUTCOME_TRY(const auto weights, Weights::Open(folder_or_gguf));
  const auto tensors = weights.tensors();
  std::vector<BadValues> results(tensors.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < tensors.size(); i = next++) {
      if (tensors[i]->type != DataType::kOther) results[i] = CheckTensor(*tensors[i], done);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
    work();
  }
  std::erase_if(results, [](const BadValues& bad) { return bad.count == 0; });
  return results;
}

}  // namespace portcullis::inference
