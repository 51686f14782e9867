// The idea: a tile of query rows walks over the keys in blocks and keeps, per row, the top score
// so far, the sum of exponentials relative to it, and the weighted sum of values. If a block brings
// a larger score, sum and values are rescaled by exp(old - new). At the end the values are divided
// by the sum. This is softmax without ever holding all scores (Milakov and Gimelshein,
// arXiv 1805.02867).
// A tile's rows are (token, head of the group) pairs of one key-value head, so that one matrix
// product serves the whole group. Row r belongs to token r / group and sees the positions up to its
// token's own; every row sees position 0, so no row's largest score stays at minus infinity after
// the first block.
#include "inference/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "inference/ops/onednn.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kTileRows = 64;
constexpr int64_t kKeyBlock = 256;
constexpr int64_t kFewRows = 8;            // up to here dot products beat a matrix product's set-up
constexpr int64_t kParallelWork = 1 << 18;

struct Tile {
  const AttentionCall* call;
  int64_t kv_head;
  int64_t first_row;
  int64_t rows;
};

int64_t ScratchFloats(const AttentionShape& shape) {
  return kTileRows * (shape.key_size + shape.value_size + kKeyBlock + 2);
}

void Scores(const float* queries, const float* keys, int64_t key_stride, int64_t rows,
            int64_t count, int64_t size, float* scores) {
  if (rows > kFewRows) {
    MatMul(Right::kTransposed, rows, count, size, queries, size, keys, key_stride, 0.0f, scores,
           kKeyBlock);
    return;
  }
  for (int64_t key = 0; key < count; ++key) {
    for (int64_t row = 0; row < rows; ++row) {
      scores[row * kKeyBlock + key] = Dot(queries + row * size, keys + key * key_stride, size);
    }
  }
}

void AddValues(const float* weights, const float* values, int64_t value_stride, int64_t rows,
               int64_t count, int64_t size, float* sums) {
  if (rows > kFewRows) {
    MatMul(Right::kPlain, rows, size, count, weights, kKeyBlock, values, value_stride, 1.0f, sums,
           size);
    return;
  }
  for (int64_t key = 0; key < count; ++key) {
    for (int64_t row = 0; row < rows; ++row) {
      AddScaled(weights[row * kKeyBlock + key], values + key * value_stride, size,
                sums + row * size);
    }
  }
}

void RunTile(const AttentionShape& shape, const Tile& tile, float* scratch) {
  const AttentionCall& call = *tile.call;
  const int64_t group = shape.heads / shape.kv_heads;
  float* queries = scratch;
  float* sums = queries + kTileRows * shape.key_size;
  float* scores = sums + kTileRows * shape.value_size;
  float* largest = scores + kTileRows * kKeyBlock;
  float* totals = largest + kTileRows;

  const auto head_row = [&](int64_t row) {  // index of the row's head among all tokens' heads
    const int64_t global = tile.first_row + row;
    return global / group * shape.heads + tile.kv_head * group + global % group;
  };
  for (int64_t row = 0; row < tile.rows; ++row) {
    const float* source = call.queries + head_row(row) * shape.key_size;
    for (int64_t i = 0; i < shape.key_size; ++i) {
      queries[row * shape.key_size + i] = source[i] * shape.scale;
    }
    largest[row] = -std::numeric_limits<float>::infinity();
    totals[row] = 0;
  }
  std::fill_n(sums, tile.rows * shape.value_size, 0.0f);

  const float* keys = call.keys + tile.kv_head * shape.key_size;
  const float* values = call.values + tile.kv_head * shape.value_size;
  const int64_t visible = call.position + (tile.first_row + tile.rows - 1) / group + 1;
  for (int64_t begin = 0; begin < visible; begin += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, visible - begin);
    Scores(queries, keys + begin * call.key_stride, call.key_stride, tile.rows, count,
           shape.key_size, scores);
    for (int64_t row = 0; row < tile.rows; ++row) {
      float* line = scores + row * kKeyBlock;
      const int64_t last = call.position + (tile.first_row + row) / group;
      const int64_t seen = std::clamp(last + 1 - begin, int64_t{0}, count);
      std::fill(line + seen, line + count, 0.0f);
      if (seen == 0) continue;
      const float before = largest[row];
      const float now = std::max(before, *std::max_element(line, line + seen));
      float total = 0;
      for (int64_t i = 0; i < seen; ++i) total += line[i] = std::exp(line[i] - now);
      const float rescale = std::exp(before - now);
      totals[row] = totals[row] * rescale + total;
      largest[row] = now;
      if (rescale != 1.0f) {
        float* sum = sums + row * shape.value_size;
        for (int64_t i = 0; i < shape.value_size; ++i) sum[i] *= rescale;
      }
    }
    AddValues(scores, values + begin * call.value_stride, call.value_stride, tile.rows, count,
              shape.value_size, sums);
  }
  for (int64_t row = 0; row < tile.rows; ++row) {
    float* out = call.out + head_row(row) * shape.value_size;
    const float* sum = sums + row * shape.value_size;
    for (int64_t i = 0; i < shape.value_size; ++i) out[i] = sum[i] / totals[row];
  }
}

}  // namespace

void Attention(Workers& workers, const AttentionShape& shape,
               std::span<const AttentionCall> calls) {
  const int64_t group = shape.heads / shape.kv_heads;
  std::vector<Tile> tiles;
  int64_t work = 0;
  for (const auto& call : calls) {
    const int64_t rows = call.tokens * group;
    // A single token's heads are split finely, so that every thread gets some.
    const int64_t tile_rows = call.tokens == 1 ? kFewRows : kTileRows;
    for (int64_t head = 0; head < shape.kv_heads; ++head) {
      for (int64_t row = 0; row < rows; row += tile_rows) {
        tiles.push_back({&call, head, row, std::min(tile_rows, rows - row)});
      }
    }
    work += call.tokens * shape.heads * (call.position + call.tokens) *
            (shape.key_size + shape.value_size);
  }
  workers.Run(static_cast<int64_t>(tiles.size()), work >= kParallelWork,
              [&](int64_t index, int worker) {
                RunTile(shape, tiles[static_cast<size_t>(index)],
                        workers.scratch(worker).Get(ScratchFloats(shape)));
              });
}

}  // namespace portcullis::inference
