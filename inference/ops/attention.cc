// The idea: a tile of query rows walks over the positions in spans of kSpan, a softmax each, and
// keeps, per row, the top score so far, the sum of exponentials relative to it, and the weighted
// sum of values. If a span brings a larger score, sum and values are rescaled by exp(old - new).
// This is softmax without ever holding all scores (Milakov and Gimelshein, arXiv 1805.02867).
// After kSplit positions the walk starts afresh and the results of the splits are merged by the
// same rule, in order. So the splits of one long row can be computed by several threads (as in
// flash-decoding), and the bits are the same where one thread computes them all.
// A tile's rows are (token, head of the group) pairs of one key-value head. Row r belongs to token
// r / group and sees the positions up to its token's own. Every row sees position 0; to a row that
// sees nothing of a later span or split, it adds exact zeros.
#include "inference/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>


namespace portcullis::inference {
namespace {

constexpr int64_t kTileRows = 48;  // a multiple of what the kernels take at once
constexpr int64_t kSpan = 256;
constexpr int64_t kSplit = 2048;
constexpr int64_t kParallelWork = 1 << 17;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

int64_t RoundUp(int64_t count, int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

// Floats of one row's sums, largest score and total, as they are kept for merging.
int64_t PartialFloats(const AttentionShape& shape) {
  return RoundUp(shape.kv.value_size, 16) + 2;
}

}  // namespace

// A worker's memory. Row strides: padded key size, padded value size, kSpan.
struct Attention::State {
  float* queries;
  float* sums;
  float* merged;
  float* scores;
  float *largest, *totals;
  float *merged_largest, *merged_totals;
  int64_t key_stride, value_stride;
};

Attention::State Attention::Scratch(const AttentionShape& shape, Buffer& buffer) const {
  State state{};
  state.key_stride = RoundUp(shape.kv.key_size, 16);
  state.value_stride = RoundUp(shape.kv.value_size, 16);
  float* next = buffer.Get(kTileRows * (state.key_stride + 2 * state.value_stride + kSpan + 4));
  const auto take = [&](int64_t per_row) {
    float* mine = next;
    next += kTileRows * per_row;
    return mine;
  };
  state.queries = take(state.key_stride);
  state.sums = take(state.value_stride);
  state.merged = take(state.value_stride);
  state.scores = take(kSpan);
  state.largest = take(1);
  state.totals = take(1);
  state.merged_largest = take(1);
  state.merged_totals = take(1);
  return state;
}

namespace {

// Adds what was found in a later split to what was found before; `sums` has `count` values.
void MergeRow(float largest, float total, const float* sums, int64_t count, float& merged_largest,
              float& merged_total, float* merged) {
  const float now = std::max(merged_largest, largest);
  const float before = std::exp(merged_largest - now);
  const float factor = std::exp(largest - now);
  merged_total = merged_total * before + total * factor;
  merged_largest = now;
  for (int64_t i = 0; i < count; ++i) merged[i] = merged[i] * before + sums[i] * factor;
}

}  // namespace

void Attention::RunSplit(const AttentionShape& shape, const Tile& tile, int64_t begin, int64_t end,
                         const State& state) const {
  const auto& kv = shape.kv;
  const int64_t group = shape.heads / kv.heads;
  const int64_t stride = kv.row_stride();
  const int64_t bytes = kv.element_bytes();
  const auto keys_at = [&](int64_t position) {
    return tile.call->blocks[position / kKvBlock] + shape.offset +
           (kv.latent ? 0 : tile.kv_head * kv.key_elements() * bytes);
  };
  const auto values_at = [&](int64_t position) {
    return tile.call->blocks[position / kKvBlock] + shape.offset +
           (kv.latent ? 0 : kv.heads * kv.key_elements() + tile.kv_head * kv.value_elements()) * bytes;
  };
  std::fill_n(state.sums, tile.rows * state.value_stride, 0.0f);
  std::fill_n(state.largest, tile.rows, kLowest);
  std::fill_n(state.totals, tile.rows, 0.0f);
  for (int64_t span = begin; span < end; span += kSpan) {
    const int64_t count = std::min(kSpan, end - span);
    const int64_t padded = RoundUp(count, 16);
    // Values follow the keys of the span, unless they are the same numbers.
    const std::byte* next_span = span + kSpan < end ? keys_at(span + kSpan) : nullptr;
    for (int64_t first = 0; first < count; first += kKvBlock) {
      const std::byte* next = kv.latent ? next_span : values_at(span);
      if (first + kKvBlock < count) next = keys_at(span + first + kKvBlock);
      const KvMatrix keys{keys_at(span + first), kv.latent ? stride : kKvBlock, kv.type, next};
      const int64_t positions = std::min(kKvBlock, count - first);
      if (kv.latent) {
        kernels_.multiply_transposed(tile.rows, RoundUp(positions, 4), stride, state.queries,
                                     state.key_stride, keys, state.scores + first, kSpan);
      } else {
        kernels_.multiply(false, tile.rows, RoundUp(positions, 16), kv.key_size, state.queries,
                          state.key_stride, keys, state.scores + first, kSpan);
      }
    }
    for (int64_t row = 0; row < tile.rows; ++row) {
      float* line = state.scores + row * kSpan;
      const int64_t last = tile.call->position + (tile.first_row + row) / group;
      const int64_t seen = std::clamp(last + 1 - span, int64_t{0}, count);
      if (seen == 0) {
        std::fill_n(line, padded, 0.0f);
        continue;
      }
      std::fill(line + seen, line + padded, kLowest);
      const float now = std::max(state.largest[row], kernels_.largest(line, padded));
      const float rescale = std::exp(state.largest[row] - now);
      state.totals[row] =
          state.totals[row] * rescale + kernels_.exponentials(line, padded, now);
      state.largest[row] = now;
      if (rescale == 1.0f) continue;
      float* sums = state.sums + row * state.value_stride;
      for (int64_t i = 0; i < state.value_stride; ++i) sums[i] *= rescale;
    }
    for (int64_t first = 0; first < count; first += kKvBlock) {
      const std::byte* next = next_span;
      if (first + kKvBlock < count) next = values_at(span + first + kKvBlock);
      const KvMatrix values{values_at(span + first), stride, kv.type, kv.latent ? nullptr : next};
      kernels_.multiply(true, tile.rows, state.value_stride, std::min(kKvBlock, count - first),
                        state.scores + first, kSpan, values, state.sums, state.value_stride);
    }
  }
}

void Attention::RunTile(const AttentionShape& shape, const Tile& tile, Buffer& buffer) const {
  const auto& kv = shape.kv;
  const AttentionCall& call = *tile.call;
  const int64_t group = shape.heads / kv.heads;
  const State state = Scratch(shape, buffer);
  const auto head_of = [&](int64_t row) {  // index of the row's head among all tokens' heads
    const int64_t global = tile.first_row + row;
    return global / group * shape.heads + tile.kv_head * group + global % group;
  };
  for (int64_t row = 0; row < tile.rows; ++row) {
    const float* source = call.queries + head_of(row) * kv.key_size;
    float* query = state.queries + row * state.key_stride;
    for (int64_t i = 0; i < kv.key_size; ++i) query[i] = source[i] * shape.scale;
    std::fill(query + kv.key_size, query + state.key_stride, 0.0f);
  }
  const int64_t visible = call.position + (tile.first_row + tile.rows - 1) / group + 1;
  if (tile.partials != nullptr) {
    const int64_t begin = tile.split * kSplit;
    RunSplit(shape, tile, begin, std::min(visible, begin + kSplit), state);
    const int64_t size = PartialFloats(shape);
    for (int64_t row = 0; row < tile.rows; ++row) {
      float* out = tile.partials + (tile.split * tile.rows + row) * size;
      std::copy_n(state.sums + row * state.value_stride, state.value_stride, out);
      out[size - 2] = state.largest[row];
      out[size - 1] = state.totals[row];
    }
    return;
  }
  RunSplit(shape, tile, 0, std::min(visible, kSplit), state);
  if (visible > kSplit) {
    std::copy_n(state.sums, tile.rows * state.value_stride, state.merged);
    std::copy_n(state.largest, tile.rows, state.merged_largest);
    std::copy_n(state.totals, tile.rows, state.merged_totals);
  }
  for (int64_t begin = kSplit; begin < visible; begin += kSplit) {
    RunSplit(shape, tile, begin, std::min(visible, begin + kSplit), state);
    for (int64_t row = 0; row < tile.rows; ++row) {
      MergeRow(state.largest[row], state.totals[row], state.sums + row * state.value_stride,
               state.value_stride, state.merged_largest[row], state.merged_totals[row],
               state.merged + row * state.value_stride);
    }
  }
  const float* sums = visible > kSplit ? state.merged : state.sums;
  const float* totals = visible > kSplit ? state.merged_totals : state.totals;
  for (int64_t row = 0; row < tile.rows; ++row) {
    float* out = call.out + head_of(row) * kv.value_size;
    const float* sum = sums + row * state.value_stride;
    for (int64_t i = 0; i < kv.value_size; ++i) out[i] = sum[i] / totals[row];
  }
}

// Once all splits of a tile are computed; called on the tile of its last split.
void Attention::Merge(const AttentionShape& shape, const Tile& tile, Buffer& buffer) const {
  const int64_t group = shape.heads / shape.kv.heads;
  const int64_t size = PartialFloats(shape);
  float* merged = buffer.Get(size);
  for (int64_t row = 0; row < tile.rows; ++row) {
    std::copy_n(tile.partials + row * size, size, merged);
    for (int64_t split = 1; split < tile.splits; ++split) {
      const float* one = tile.partials + (split * tile.rows + row) * size;
      MergeRow(one[size - 2], one[size - 1], one, size - 2, merged[size - 2], merged[size - 1],
               merged);
    }
    const int64_t global = tile.first_row + row;
    const int64_t head = global / group * shape.heads + tile.kv_head * group + global % group;
    float* out = tile.call->out + head * shape.kv.value_size;
    for (int64_t i = 0; i < shape.kv.value_size; ++i) out[i] = merged[i] / merged[size - 1];
  }
}

void Attention::Run(Workers& workers, const AttentionShape& shape,
                    std::span<const AttentionCall> calls) {
  const int64_t group = shape.heads / shape.kv.heads;
  int64_t work = 0;
  int64_t all_rows = 0;
  for (const auto& call : calls) {
    work += call.tokens * shape.heads * (call.position + call.tokens) *
            (shape.kv.key_size + shape.kv.value_size);
    all_rows += call.tokens * shape.heads;
  }
  const bool parallel = work >= kParallelWork && workers.threads() > 1;
  // Every thread shall get as much to do; the sizes of tiles do not change results.
  int64_t natural = 0;
  for (const auto& call : calls) {
    natural += shape.kv.heads * ((call.tokens * group + kTileRows - 1) / kTileRows);
  }
  const int64_t threads = parallel ? workers.threads() : 1;
  const bool scarce = natural < threads || (natural < 4 * threads && natural % threads != 0);
  const int64_t tile_rows =
      scarce ? std::clamp<int64_t>(RoundUp(all_rows / threads, 4), 4, kTileRows) : kTileRows;

  tiles_.clear();
  int64_t partial_floats = 0;
  for (const auto& call : calls) {
    const int64_t rows = call.tokens * group;
    const int64_t splits = (call.position + call.tokens + kSplit - 1) / kSplit;
    // Rows of one token see the same splits. Splitting positions reads every key once only.
    const bool apart = scarce && parallel && call.tokens == 1 && splits >= 2 * threads;
    const int64_t own_rows = apart ? kTileRows : tile_rows;
    for (int64_t head = 0; head < shape.kv.heads; ++head) {
      // The last rows first: they have the most to do.
      for (int64_t row = (rows - 1) / own_rows * own_rows; row >= 0; row -= own_rows) {
        Tile tile{&call, head, row, std::min(own_rows, rows - row)};
        if (!apart) {
          tiles_.push_back(tile);
          continue;
        }
        tile.splits = splits;
        for (tile.split = 0; tile.split < splits; ++tile.split) tiles_.push_back(tile);
        partial_floats += splits * tile.rows * PartialFloats(shape);
      }
    }
  }
  if (partial_floats > 0) {
    float* next = partials_.Get(partial_floats);
    for (auto& tile : tiles_) {
      if (tile.splits == 0) continue;
      tile.partials = next;
      if (tile.split == tile.splits - 1) next += tile.splits * tile.rows * PartialFloats(shape);
    }
  }
  workers.Run(static_cast<int64_t>(tiles_.size()), parallel, [&](int64_t index, int worker) {
    RunTile(shape, tiles_[static_cast<size_t>(index)], workers.scratch(worker));
  });
  if (partial_floats == 0) return;
  std::erase_if(tiles_, [](const Tile& tile) { return tile.splits == 0 ||
                                                      tile.split != tile.splits - 1; });
  workers.Run(static_cast<int64_t>(tiles_.size()), parallel, [&](int64_t index, int worker) {
    Merge(shape, tiles_[static_cast<size_t>(index)], workers.scratch(worker));
  });
}

}  // namespace portcullis::inference
