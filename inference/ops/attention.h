// Causal attention of new tokens over the keys and values of their own sequence, blocked so that
// memory is independent of the context's length. Query heads that share a key-value head are
// computed together (grouped-query attention; with one key-value head, absorbed latent attention).
// Shapes: queries [tokens][heads][key size], keys [position][kv heads][key size], values alike.
#pragma once

#include <cstdint>
#include <span>

#include "inference/ops/workers.h"

namespace portcullis::inference {

struct AttentionShape {
  int64_t heads;
  int64_t kv_heads;
  int64_t key_size;
  int64_t value_size;
  float scale;  // of the scores
};

// One sequence. Keys and values of positions 0 to position + tokens - 1 are in place.
struct AttentionCall {
  const float* queries;
  int64_t tokens;
  int64_t position;      // of the first query
  const float* keys;
  int64_t key_stride;    // floats from one position to the next
  const float* values;
  int64_t value_stride;
  float* out;            // [tokens][heads][value size]
};

void Attention(Workers& workers, const AttentionShape& shape, std::span<const AttentionCall> calls);

}  // namespace portcullis::inference
