// A slow second implementation for the tests, from the papers' formulas in double precision:
// one token at a time, no blocking, no absorption, no batching. And tiny models with random weights
// of any configuration to compare on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "inference/model/config.h"
#include "inference/model/tensor.h"

namespace portcullis::inference {

struct TinyTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// Tensors have their Hugging Face names.
struct TinyModel {
  ModelConfig config;
  std::map<std::string, TinyTensor> tensors;
};

// Random weights for a configuration; values are exact in bf16.
TinyModel MakeTinyModel(const ModelConfig& config, uint32_t seed);
// A Hugging Face folder with weights of the given type, in one or in `shards` files.
void WriteTinyModel(const TinyModel& model, const std::filesystem::path& folder, DataType type,
                    int shards = 1);

// Logits after the last token.
std::vector<float> ReferenceLogits(const TinyModel& model, std::span<const int32_t> tokens);

}  // namespace portcullis::inference
