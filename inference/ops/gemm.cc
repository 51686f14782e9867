#include "inference/ops/gemm.h"

#include <algorithm>

#include "inference/ops/dequantize.h"
#include "inference/ops/gemm_inputs.h"
#include "inference/ops/kernels.h"
#include "inference/ops/kernels/amx.h"
#include "inference/ops/onednn.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kPanelRows = 64;            // four tiles: enough panels to balance threads
constexpr int64_t kWidePanelRows = 256;       // of long prompts: their inputs pass by less often
constexpr int64_t kLongPrompt = 96;
constexpr int64_t kRowsInCache = 64;          // inputs that stay in the second-level cache
constexpr int64_t kPanelFloats = 256 << 10;   // a converted panel stays there as well
constexpr int64_t kBlocksInCache = 1024;      // 1 MiB of an expanded panel
constexpr int64_t kSteadyRows = 16;
constexpr int64_t kChunk = 1024;              // whole blocks of any type, fits the L1 cache
constexpr int64_t kParallelWork = 1 << 18;    // multiplications that repay waking a thread

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16 ||
         type == DataType::kF8E4M3;
}

DotKernel DotKernelOf(const Kernels& kernels, DataType type) {
  switch (type) {
    case DataType::kF16: return kernels.f16;
    case DataType::kBF16: return kernels.bf16;
    case DataType::kF8E4M3: return kernels.f8;
    default: return kernels.f32;
  }
}

}  // namespace

Gemm::Gemm(const Matrix& weights, std::vector<float> bias, const GemmOptions& options)
    : weights_(weights), bias_(std::move(bias)), isa_(options.isa) {
  ChooseWays(options.precision);
  if (tokens_ != Tokens::kPacked) return;
  if (options.store != nullptr) {
    packed_ = options.store->Pack(weights_, options.mapped);
    return;
  }
  auto* own = reinterpret_cast<std::byte*>(own_packed_.Get(PackedBytes(weights_) / 4));
  const int64_t tile_bytes = PackedTileBytes(weights_.type, weights_.columns);
  for (int64_t tile = 0; tile < PackedTiles(weights_.rows); ++tile) {
    PackTile(weights_, tile, own + tile * tile_bytes);
  }
  packed_ = own;
}

Gemm::Gemm(std::vector<float> weights, int64_t rows, int64_t columns, const GemmOptions& options)
    : Gemm(Matrix{DataType::kF32, rows, columns,
                  reinterpret_cast<const std::byte*>(weights.data())},
           {}, options) {
  owned_ = std::move(weights);
}

void Gemm::ChooseWays(Precision precision) {
  const bool fast = precision == Precision::kFast;
  if (fast && HasPackedLayout(weights_.type)) {
    tokens_ = Tokens::kPacked;
    prompts_ = isa_ == Isa::kAmx ? Prompts::kTiles : Prompts::kAsTokens;
    return;
  }
  tokens_ = IsFloat(weights_.type) ? Tokens::kDots : Tokens::kExpanded;
  if (!fast || !IsFloat(weights_.type)) return;
  const bool two_bytes = weights_.type == DataType::kF16 || weights_.type == DataType::kBF16;
  if (isa_ == Isa::kAmx) {
    prompts_ = Prompts::kTiles;
  } else if (two_bytes && (isa_ == Isa::kAvx512 || isa_ == Isa::kAvx512Vnni)) {
    prompts_ = Prompts::kAsTokens;  // short prompts: twice as fast as by oneDNN; long ones: nearly as fast
  }
}

int64_t Gemm::PanelRows(const PreparedRows& rows) const {
  const int64_t prompt_rows = rows.m - rows.token_rows;
  if (prompt_rows == 0) return kPanelRows;
  if (prompts_ == Prompts::kTiles) return prompt_rows < kLongPrompt ? kPanelRows : kWidePanelRows;
  const int64_t in_cache = kPanelFloats / weights_.columns / kTileRows * kTileRows;
  return std::clamp(in_cache, kTileRows, 2 * kPanelRows);
}

int64_t Gemm::Panels(const PreparedRows& rows) const {
  const int64_t panel_rows = PanelRows(rows);
  return (weights_.rows + panel_rows - 1) / panel_rows;
}

void Gemm::RunPanel(int64_t panel, const PreparedRows& rows, float* y, int64_t y_stride,
                    Buffer& scratch) const {
  const int64_t begin = panel * PanelRows(rows);
  const Range outputs{begin, std::min(PanelRows(rows), weights_.rows - begin)};
  if (rows.token_rows > 0) {
    switch (tokens_) {
      case Tokens::kPacked: RunPacked(outputs, rows, y, y_stride); break;
      case Tokens::kDots: RunDots(outputs, rows, y, y_stride); break;
      case Tokens::kExpanded: RunExpanded(outputs, rows, y, y_stride); break;
    }
  }
  if (rows.m == rows.token_rows) return;
  float* prompt_y = y + rows.token_rows * y_stride;
  if (prompts_ == Prompts::kTiles) {
    RunTiles(outputs, rows, prompt_y, y_stride, scratch);
  } else {
    RunMatMul(outputs, rows, prompt_y, y_stride, scratch);
  }
}

void Gemm::Scatter(Range outputs, const float* sums, int64_t sums_stride, int64_t rows, float* y,
                   int64_t y_stride) const {
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = sums + i * sums_stride;
    float* to = y + i * y_stride + outputs.begin;
    if (bias_.empty()) {
      std::copy_n(from, outputs.count, to);
    } else {
      const float* bias = bias_.data() + outputs.begin;
      for (int64_t n = 0; n < outputs.count; ++n) to[n] = from[n] + bias[n];
    }
  }
}

void Gemm::AddBias(Range outputs, int64_t rows, float* y, int64_t y_stride) const {
  if (bias_.empty()) return;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t n = outputs.begin; n < outputs.begin + outputs.count; ++n) {
      y[i * y_stride + n] += bias_[n];
    }
  }
}

void Gemm::RunPacked(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const {
  if (rows.blocks != nullptr) return RunBlocks(outputs, rows, y, y_stride);
  const TileKernel kernel = TileKernelOf(KernelsFor(isa_), weights_.type);
  const int64_t columns = weights_.columns;
  const int64_t tile_bytes = PackedTileBytes(weights_.type, columns);
  // Four KiB that a compiler told to clear variables would clear for each panel.
  alignas(64) __attribute__((uninitialized)) float sums[kRowsInCache * kTileRows];
  for (int64_t row = 0; row < rows.token_rows; row += kRowsInCache) {
    const int64_t count = std::min(kRowsInCache, rows.token_rows - row);
    for (int64_t n = 0; n < outputs.count; n += kTileRows) {
      const int64_t tile = (outputs.begin + n) / kTileRows;
      kernel(packed_ + tile * tile_bytes, columns, rows.quantized + row * (columns / kGroup), count,
             sums);
      Scatter({outputs.begin + n, std::min(kTileRows, outputs.count - n)}, sums, kTileRows, count,
              y + row * y_stride, y_stride);
    }
  }
}

void Gemm::RunBlocks(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const {
  const int64_t columns = weights_.columns;
  const int64_t tile_bytes = PackedTileBytes(weights_.type, columns);
  alignas(64) float sums[amx::kRows * kTileRows];
  for (int64_t n = 0; n < outputs.count; n += kTileRows) {
    const std::byte* tile = packed_ + (outputs.begin + n) / kTileRows * tile_bytes;
    for (int64_t row = 0; row < rows.token_rows; row += amx::kRows) {
      const int64_t count = std::min(amx::kRows, rows.token_rows - row);
      const auto* x = rows.blocks + row / amx::kRows * (columns / kGroup);
      amx::MultiplyTokens(weights_.type, tile, columns, x, count, sums);
      Scatter({outputs.begin + n, std::min(kTileRows, outputs.count - n)}, sums, kTileRows, count,
              y + row * y_stride, y_stride);
    }
  }
}

void Gemm::RunDots(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const {
  const DotKernel kernel = DotKernelOf(KernelsFor(isa_), weights_.type);
  for (int64_t row = 0; row < rows.token_rows; row += kRowsInCache) {
    const int64_t count = std::min(kRowsInCache, rows.token_rows - row);
    // Rows with the same factors, few enough that they stay in the cache for all inputs.
    for (int64_t n = 0; n < outputs.count; n += kTileRows) {
      const int64_t first = outputs.begin + n;
      const FloatRows some{weights_.row(first), weights_.row_bytes(),
                           std::min(kTileRows, outputs.count - n), weights_.columns,
                           weights_.scale_row(first)};
      kernel(some, rows.x + row * rows.x_stride, rows.x_stride, count,
             y + row * y_stride + first, y_stride);
    }
  }
  AddBias(outputs, rows.token_rows, y, y_stride);
}

void Gemm::RunExpanded(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const {
  alignas(64) float values[kChunk];
  for (int64_t n = outputs.begin; n < outputs.begin + outputs.count; ++n) {
    for (int64_t first = 0; first < rows.token_rows; first += kFewRows) {
      const int64_t count = std::min(kFewRows, rows.token_rows - first);
      float sums[kFewRows] = {};
      for (int64_t k = 0; k < weights_.columns; k += kChunk) {
        const int64_t length = std::min(kChunk, weights_.columns - k);
        DequantizePart(weights_, n, k, length, values);
        for (int64_t i = 0; i < count; ++i) {
          sums[i] += Dot(values, rows.x + (first + i) * rows.x_stride + k, length);
        }
      }
      for (int64_t i = 0; i < count; ++i) y[(first + i) * y_stride + n] = sums[i];
    }
  }
  AddBias(outputs, rows.token_rows, y, y_stride);
}

// The panel's weights become blocks of bf16 in the second-level cache, as deep as fits, and all
// inputs run past them; sums of a deeper panel wait in memory between its parts.
void Gemm::RunTiles(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride,
                    Buffer& scratch) const {
  const int64_t prompt_rows = rows.m - rows.token_rows;
  const int64_t row_blocks = (prompt_rows + amx::kRows - 1) / amx::kRows;
  const int64_t output_blocks = PackedTiles(outputs.count);
  const int64_t depth = amx::DepthBlocks(weights_.columns);
  const auto split = amx::SplitOf(weights_.type);
  const int64_t step =
      std::min(depth, kBlocksInCache / (split.weights ? 2 : 1) / output_blocks);
  const int64_t panel = output_blocks * step * amx::kBlock;
  const int64_t sums_stride = output_blocks * amx::kRows;
  float* sums = scratch.Get(row_blocks * amx::kRows * sums_stride + panel);
  auto* high = reinterpret_cast<uint16_t*>(sums + row_blocks * amx::kRows * sums_stride);
  uint16_t* low = split.weights ? high + panel : nullptr;
  for (int64_t k = 0; k < depth; k += step) {
    const int64_t count = std::min(step, depth - k);
    for (int64_t block = 0; block < output_blocks; ++block) {
      const int64_t first = outputs.begin + block * amx::kRows;
      const int64_t at = block * step * amx::kBlock;
      if (packed_ != nullptr) {
        const int64_t tile_bytes = PackedTileBytes(weights_.type, weights_.columns);
        amx::ExpandTile(weights_.type, packed_ + first / kTileRows * tile_bytes, k, count, high + at);
      } else {
        amx::ExpandRows(weights_, first, k, count, high + at, low == nullptr ? nullptr : low + at);
      }
    }
    const amx::Operand inputs{rows.high + k * amx::kBlock,
                              split.inputs ? rows.low + k * amx::kBlock : nullptr,
                              depth * amx::kBlock};
    amx::Multiply(inputs, row_blocks, {high, low, step * amx::kBlock}, output_blocks, count, k > 0,
                  sums, sums_stride);
  }
  Scatter(outputs, sums, sums_stride, prompt_rows, y, y_stride);
}

// oneDNN adds in another order where there are few rows, so few are padded to kSteadyRows.
void Gemm::RunMatMul(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride,
                     Buffer& scratch) const {
  const int64_t columns = weights_.columns;
  const int64_t prompt_rows = rows.m - rows.token_rows;
  float* converted =
      scratch.Get(outputs.count * columns + kSteadyRows * (columns + outputs.count));
  const std::byte* bytes = weights_.row(outputs.begin);
  const float* panel = reinterpret_cast<const float*>(bytes);
  if (weights_.type != DataType::kF32 || reinterpret_cast<uintptr_t>(bytes) % alignof(float) != 0) {
    for (int64_t n = 0; n < outputs.count; ++n) {
      DequantizePart(weights_, outputs.begin + n, 0, columns, converted + n * columns);
    }
    panel = converted;
  }
  const float* x = rows.x + rows.token_rows * rows.x_stride;
  if (prompt_rows >= kSteadyRows) {
    MatMul(Right::kTransposed, prompt_rows, outputs.count, columns, x, rows.x_stride, panel,
           columns, 0.0f, y + outputs.begin, y_stride);
    return AddBias(outputs, prompt_rows, y, y_stride);
  }
  float* padded = converted + outputs.count * columns;
  float* sums = padded + kSteadyRows * columns;
  for (int64_t i = 0; i < prompt_rows; ++i) {
    std::copy_n(x + i * rows.x_stride, columns, padded + i * columns);
  }
  std::fill(padded + prompt_rows * columns, sums, 0.0f);
  MatMul(Right::kTransposed, kSteadyRows, outputs.count, columns, padded, columns, panel, columns,
         0.0f, sums, outputs.count);
  Scatter(outputs, sums, outputs.count, prompt_rows, y, y_stride);
}

void RunGemms(Workers& workers, std::span<const GemmCall> calls) {
  GemmInputs inputs(workers, calls.size());
  int64_t work = 0;
  for (const auto& call : calls) {
    inputs.Add(call);
    work += call.m * call.gemm->outputs() * call.gemm->inputs();
  }
  inputs.Prepare();
  // Panels are numbered through all calls; `ends` finds the call of a number.
  std::pmr::vector<int64_t> ends(inputs.memory());
  ends.reserve(calls.size());
  int64_t panels = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    panels += calls[i].gemm->Panels(inputs.Get(i));
    ends.push_back(panels);
  }
  workers.Run(panels, work >= kParallelWork, [&](int64_t index, int worker) {
    const size_t which = std::ranges::upper_bound(ends, index) - ends.begin();
    const auto& call = calls[which];
    const int64_t panel = index - (which == 0 ? 0 : ends[which - 1]);
    call.gemm->RunPanel(panel, inputs.Get(which), call.y, call.y_stride, workers.scratch(worker));
  });
}

}  // namespace portcullis::inference
