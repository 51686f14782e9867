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

// Tensors have their Hugging Face names. Of the configuration, only what a file would say is used:
// not the numbers that follow from it (softmax_scale, rope.magnitude).
struct TinyModel {
  ModelConfig config;
  std::map<std::string, TinyTensor> tensors;
  double mscale = 0;  // YaRN's, 0: not given
  double mscale_all = 0;
};

// Random weights for a configuration; values are exact in bf16.
// The smallest Llama: one layer, nine tokens.
ModelConfig OneLayerConfig();
TinyModel MakeTinyModel(const ModelConfig& config, uint32_t seed);
// A Hugging Face folder with weights of the given type, in one or in `shards` files.
void WriteTinyModel(const TinyModel& model, const std::filesystem::path& folder, DataType type,
                    int shards = 1);

// Logits after the last token.
std::vector<float> ReferenceLogits(const TinyModel& model, std::span<const int32_t> tokens);

// Hidden state of every token after the final norm.
std::vector<std::vector<float>> ReferenceHidden(const TinyModel& model,
                                                std::span<const int32_t> tokens);

// What the multi-token prediction layer says after `tokens` and then `last`: logits of the first
// draft, and `count` greedy drafts.
struct ReferenceDraft {
  std::vector<float> logits;
  std::vector<int32_t> tokens;
};
ReferenceDraft ReferencePropose(const TinyModel& model, std::span<const int32_t> tokens,
                                int32_t last, int64_t count);

}  // namespace portcullis::inference
