#include "tests/inference/gemm_helpers.h"

#include <cmath>
#include <cstring>
#include <random>

#include "inference/ops/dequantize.h"
#include "inference/ops/pack.h"

namespace portcullis::inference {
namespace {

// Bits of a number of the type between about 2^-4 and 1, of either sign.
uint32_t SmallNumber(DataType type, uint32_t random) {
  switch (type) {
    case DataType::kF32: return 0x3d800000u + (random & 0x01ffffffu) + (random & 0x80000000u);
    case DataType::kF16: return 0x2c00u + (random & 0x0fffu) + (random & 0x8000u);
    case DataType::kBF16: return 0x3d80u + (random & 0x01ffu) + (random & 0x8000u);
    default: return (random & 0x80u) | (random & 0xffu) % 0x7f;  // every number but NaN
  }
}

}  // namespace

RandomMatrix::RandomMatrix(DataType type, int64_t rows, int64_t columns, uint32_t seed) {
  std::mt19937 random(seed);
  const auto layout = LayoutOf(type);
  const auto width = static_cast<size_t>(layout.bytes);
  bytes.resize(static_cast<size_t>(rows * columns / layout.elements) * width + 1);
  for (size_t i = 1; i < bytes.size(); i += width) {
    if (layout.elements == 1) {
      const uint32_t bits = SmallNumber(type, static_cast<uint32_t>(random()));
      std::memcpy(&bytes[i], &bits, width);
      continue;
    }
    for (size_t j = 0; j < width; ++j) bytes[i + j] = static_cast<char>(random());
    // Scales of about 1/128, as f16; those of minima too.
    const auto scale = static_cast<uint16_t>(0x2000 + random() % 0x200);
    std::memcpy(&bytes[i + (type == DataType::kQ6_K ? 208 : 0)], &scale, 2);
    if (type == DataType::kQ4_K || type == DataType::kQ5_K) std::memcpy(&bytes[i + 2], &scale, 2);
    if (HasMinima(type)) {
      const uint16_t least = static_cast<uint16_t>(scale + 0x8c00);  // about -8 scales
      std::memcpy(&bytes[i + 2], &least, 2);
    }
  }
  matrix = {type, rows, columns, reinterpret_cast<const std::byte*>(bytes.data()) + 1};
  if (type != DataType::kF8E4M3) return;
  const int64_t blocks = (rows + kScaleBlock - 1) / kScaleBlock *
                         ((columns + kScaleBlock - 1) / kScaleBlock);
  for (int64_t i = 0; i < blocks; ++i) {
    scales.push_back(0.001f * static_cast<float>(1 + random() % 100));
  }
  matrix.scales = scales.data();
}

std::vector<float> RandomFloats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (auto& value : values) value = normal(random);
  return values;
}

std::vector<std::byte> Packed(const Matrix& matrix) {
  std::vector<std::byte> out(static_cast<size_t>(PackedBytes(matrix)));
  const int64_t tile_bytes = PackedTileBytes(matrix.type, matrix.columns);
  for (int64_t tile = 0; tile < PackedTiles(matrix.rows); ++tile) {
    PackTile(matrix, tile, out.data() + tile * tile_bytes);
  }
  return out;
}

std::vector<float> PlainValues(const Matrix& matrix) {
  std::vector<float> values(static_cast<size_t>(matrix.rows * matrix.columns));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    float* out = values.data() + row * matrix.columns;
    DequantizeRowPortable(matrix.type, matrix.row(row), matrix.columns, out);
    if (matrix.scales == nullptr) continue;
    for (int64_t k = 0; k < matrix.columns; ++k) {
      out[k] *= matrix.scale_row(row)[k / kScaleBlock];
    }
  }
  return values;
}

PlainProduct Multiply(const Matrix& matrix, const float* x, int64_t x_stride, int64_t m) {
  const auto w = PlainValues(matrix);
  PlainProduct plain;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t n = 0; n < matrix.rows; ++n) {
      double sum = 0, magnitude = 0;
      for (int64_t k = 0; k < matrix.columns; ++k) {
        const double product = double{w[n * matrix.columns + k]} * double{x[i * x_stride + k]};
        sum += product;
        magnitude += std::abs(product);
      }
      plain.sums.push_back(sum);
      plain.magnitudes.push_back(magnitude);
    }
  }
  return plain;
}

double RelativeError(const PlainProduct& plain, const float* computed, int64_t stride, int64_t m,
                     int64_t n) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double sum = plain.sums[static_cast<size_t>(i * n + j)];
      error += std::pow(double{computed[i * stride + j]} - sum, 2);
      size += sum * sum;
    }
  }
  return std::sqrt(error / size);
}

}  // namespace portcullis::inference
