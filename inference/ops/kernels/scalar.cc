// Token rows in plain C++: the arithmetic of FORMAT.md one value at a time. It is what the vector
// kernels are tested against, and what runs where there is no AVX2.
#include <bit>
#include <cmath>
#include <cstring>

#include "inference/ops/dequantize.h"
#include "inference/ops/kernels/group_scale.h"
#include "inference/ops/kernels/packed_tile.h"

namespace portcullis::inference {
namespace {

float HalfAt(const std::byte* halves, int64_t index) {
  uint16_t bits;
  std::memcpy(&bits, halves + 2 * index, sizeof bits);
  return HalfToFloat(bits);
}

// Column `k` of row `row` of a group, its offset subtracted.
int32_t ValueAt(DataType type, const std::byte* tile, const GroupPlace& place, int64_t row, int64_t k) {
  const int64_t step = k / 4, lane = row * 4 + k % 4;
  const std::byte* values = tile + place.values;
  if (type == DataType::kQ8_0) return static_cast<int8_t>(values[step * 64 + lane]);
  const int pair = static_cast<int>(values[step % 4 * 64 + lane]);
  const int low = step < 4 ? pair & 15 : pair >> 4;
  const std::byte* high = tile + place.high_bits;
  switch (type) {
    case DataType::kQ4_0: return low - 8;
    case DataType::kQ5_0:
    case DataType::kQ5_1:
    case DataType::kQ5_K: {
      const int fifth = static_cast<int>(high[lane]) >> step & 1;
      return (low | fifth << 4) - (type == DataType::kQ5_0 ? 16 : 0);
    }
    case DataType::kQ6_K: {
      const int pairs = static_cast<int>(high[step / 4 * 64 + lane]);
      return (low | (pairs >> 2 * (step % 4) & 3) << 4) - 32;
    }
    default: return low;
  }
}

template <DataType kType>
float OneOutput(const std::byte* tile, int64_t columns, const QuantizedGroup* x, int64_t row) {
  float sum = 0;
  for (int64_t group = 0; group < columns / kGroup; ++group) {
    const GroupPlace place = PlaceOf(kType, group);
    const QuantizedGroup& in = x[group];
    int32_t halves[2] = {};
    for (int64_t k = 0; k < kGroup; ++k) {
      halves[k / 16] += ValueAt(kType, tile, place, row, k) * in.values[k];
    }
    [[maybe_unused]] const std::byte* head = tile + place.head;
    const std::byte* scales = tile + place.scales;
    const auto both = static_cast<float>(halves[0] + halves[1]);
    if constexpr (!IsSuperBlock(kType)) {
      sum = std::fma(both, HalfAt(scales, row) * in.scale, sum);
      if constexpr (HasMinima(kType)) {
        sum = std::fma(HalfAt(scales, kTileRows + row), in.scaled_sum, sum);
      }
    } else if constexpr (kType == DataType::kQ6_K) {
      for (int64_t half = 0; half < 2; ++half) {
        const auto own = static_cast<float>(static_cast<int8_t>(scales[half * kTileRows + row]));
        sum = std::fma(static_cast<float>(halves[half]), HalfAt(head, row) * own * in.scale, sum);
      }
    } else {
      const auto own = static_cast<float>(scales[row]);
      const auto minimum = static_cast<float>(scales[kTileRows + row]);
      sum = std::fma(both, HalfAt(head, row) * own * in.scale, sum);
      sum = std::fma(-(HalfAt(head, kTileRows + row) * minimum), in.scaled_sum, sum);
    }
  }
  return sum;
}

template <DataType kType>
void Tile(const std::byte* tile, int64_t columns, const QuantizedGroup* x, int64_t m, float* y) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t row = 0; row < kTileRows; ++row) {
      y[i * kTileRows + row] = OneOutput<kType>(tile, columns, x + i * (columns / kGroup), row);
    }
  }
}

template <DataType kType>
void Dots(const FloatRows& w, const float* x, int64_t x_stride, int64_t m, float* y,
          int64_t y_stride) {
  constexpr int64_t kBytes = kType == DataType::kF32 ? 4 : kType == DataType::kF8E4M3 ? 1 : 2;
  for (int64_t n = 0; n < w.count; ++n) {
    for (int64_t i = 0; i < m; ++i) {
      float total = 0;
      for (int64_t k = 0; k < w.columns; k += kScaleBlock) {
        float values[kScaleBlock];
        const int64_t count = w.columns - k < kScaleBlock ? w.columns - k : kScaleBlock;
        const float factor = w.factors == nullptr ? 1.0f : w.factors[k / kScaleBlock];
        DequantizeRowPortable(kType, w.data + n * w.stride + k * kBytes, count, values);
        for (int64_t j = 0; j < count; ++j) {
          total = std::fma(values[j] * factor, x[i * x_stride + k + j], total);
        }
      }
      y[i * y_stride + n] = total;
    }
  }
}

void Quantize(const float* x, int64_t columns, QuantizedGroup* out) {
  for (int64_t k = 0; k < columns; k += kGroup, ++out) {
    uint32_t bits = 0;
    for (int64_t i = 0; i < kGroup; ++i) {
      bits = std::max(bits, std::bit_cast<uint32_t>(x[k + i]) & 0x7fffffffu);
    }
    const auto [scale, inverse] = GroupScale(bits);
    int32_t sums[2] = {};
    for (int64_t i = 0; i < kGroup; ++i) {
      const float scaled = inverse == 0 ? 0 : std::nearbyint(x[k + i] * inverse);
      out->values[i] = static_cast<int8_t>(scaled);
      sums[i / 16] += out->values[i];
    }
    FinishGroup(scale, sums[0], sums[1], *out);
  }
}

}  // namespace

const Kernels kScalarKernels = {
    {Tile<DataType::kQ4_0>, Tile<DataType::kQ4_1>, Tile<DataType::kQ5_0>, Tile<DataType::kQ5_1>,
     Tile<DataType::kQ8_0>, Tile<DataType::kQ4_K>, Tile<DataType::kQ5_K>, Tile<DataType::kQ6_K>},
    Dots<DataType::kF32>,  Dots<DataType::kF16>,    Dots<DataType::kBF16>,
    Dots<DataType::kF8E4M3>, Quantize};

}  // namespace portcullis::inference
