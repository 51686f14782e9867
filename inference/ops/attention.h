// Causal attention of new tokens over the keys and values of their own sequence, which lie in
// blocks (kv_block.h), so that memory is independent of the context's length. Query heads that
// share a key-value head are computed together: grouped-query attention; with one key-value head,
// absorbed latent attention.
// A row's result depends on its query and the positions it sees, to the bit: not on the rows or
// sequences beside it, on where its blocks lie, or on the number of threads.
// Shapes: queries [tokens][heads][key size], out [tokens][heads][value size].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/ops/attention_kernels.h"
#include "inference/ops/buffer.h"
#include "inference/ops/kv_block.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

struct AttentionShape {
  int64_t heads;
  float scale;         // of the scores
  KvShape kv;
  int64_t offset = 0;  // bytes from a block's pointer to the keys and values of this layer
};

// One sequence. Keys and values of positions 0 to position + tokens - 1 are in place.
struct AttentionCall {
  const float* queries;
  int64_t tokens;
  int64_t position;    // of the first query
  std::byte* const* blocks;
  float* out;
};

class Attention {
 public:
  explicit Attention(const AttentionKernels& kernels = BestAttentionKernels())
      : kernels_(kernels) {}

  void Run(Workers& workers, const AttentionShape& shape, std::span<const AttentionCall> calls);

 private:
  struct Tile {
    const AttentionCall* call;
    int64_t kv_head;
    int64_t first_row;
    int64_t rows;
    int64_t split = 0;          // the one to compute, where there are partials
    int64_t splits = 0;
    float* partials = nullptr;  // [splits][rows][partial], or null: the tile computes all splits
  };
  struct State;
  State Scratch(const AttentionShape& shape, Buffer& buffer) const;
  void RunTile(const AttentionShape& shape, const Tile& tile, Buffer& buffer) const;
  void RunSplit(const AttentionShape& shape, const Tile& tile, int64_t begin, int64_t end,
                const State& state) const;
  void Merge(const AttentionShape& shape, const Tile& tile, Buffer& buffer) const;

  const AttentionKernels& kernels_;
  std::vector<Tile> tiles_;
  Buffer partials_;
};

}  // namespace portcullis::inference
