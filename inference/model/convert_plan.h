// Between the two halves of a conversion: what is to be written, and where its rows come from. The
// planners (convert_gguf.cc, convert_folder.cc) fill a Plan, convert.cc writes it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "inference/model/config.h"
#include "inference/model/gguf_writer.h"
#include "inference/model/weights.h"

namespace portcullis::inference::convert {

struct PlannedTensor {
  std::string name;            // GGUF's
  std::vector<int64_t> shape;  // row-major
  // Row `row` of all dimensions but the last taken together, as f32. Called on any thread.
  std::function<void(int64_t row, float* out)> read;
};

struct Plan {
  gguf::Writer writer;  // metadata is set, tensors are not yet added
  std::vector<PlannedTensor> tensors;
  int64_t layers = 0;
  bool tied = false;
  std::string notes;
};

// Both keep references to `weights`, which must outlive the plan.
Result<Plan> PlanFromGguf(const Weights& weights);
Result<Plan> PlanFromFolder(const Weights& weights);

// The configuration of a folder as metadata; kUnsupported for what GGUF cannot say.
Result<void> SetConfig(const Weights& weights, const ModelConfig& config, Plan& plan);

// tokenizer.json and the files beside it as tokenizer.ggml.* metadata. What begins a text, what ends
// an answer and the chat template are as Tokenizer::FromFolder reads them, so that a folder and its
// GGUF file are served alike.
Result<void> SetTokenizer(const std::filesystem::path& folder, int64_t vocab_size, Plan& plan);

}  // namespace portcullis::inference::convert
