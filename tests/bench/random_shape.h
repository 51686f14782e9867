// Shapes of known models for benchmarks: the sizes, the tensors that follow from them in the order
// of a GGUF file, and the metadata that this engine and llama.cpp read. Sizes are facts published
// with the models; dsv3-2.6b is DeepSeek-V3's architecture made small.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inference/model/gguf_writer.h"

namespace portcullis::bench {

struct Shape {
  std::string_view name;
  std::string_view architecture;  // as GGUF calls it
  int64_t layers, hidden, heads, kv_heads, head_size, intermediate, vocab, context;
  double rope_base;
  bool tied, bias;
  // deepseek2 only
  int64_t q_lora = 0, kv_lora = 0, rope_size = 0, value_size = 0;
  int64_t dense_layers = 0, experts = 0, experts_used = 0, expert_size = 0;
  int64_t groups = 0, groups_used = 0;
};

// Null for an unknown name.
const Shape* FindShape(std::string_view name);
std::string ShapeNames();

enum class Kind { kMatrix, kNorm, kBias };

struct PlannedTensor {
  std::string name;
  std::vector<int64_t> shape;  // row-major
  Kind kind;
  double deviation;  // of the random values
};

// `mtp`: a multi-token prediction layer behind the others (deepseek2 only).
std::vector<PlannedTensor> TensorsOf(const Shape& shape, bool mtp);
void SetMetadata(const Shape& shape, bool mtp, inference::gguf::Writer& writer);
// A byte-level vocabulary with merges that fills `shape.vocab`, and a ChatML template.
void SetVocabulary(const Shape& shape, inference::gguf::Writer& writer);

}  // namespace portcullis::bench
