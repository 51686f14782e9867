// Attention kernels in plain C++, for machines without AVX2 and as the tests' yardstick.
#include <algorithm>
#include <cmath>
#include <limits>

#include "inference/ops/attention_kernels.h"
#include "inference/ops/cpu.h"
#include "inference/ops/dequantize.h"

namespace portcullis::inference {
namespace {

float Element(const std::byte* b, int64_t index, KvType type) {
  return type == KvType::kF32 ? reinterpret_cast<const float*>(b)[index]
                              : HalfToFloat(reinterpret_cast<const uint16_t*>(b)[index]);
}

void Multiply(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
              const KvMatrix& b, float* c, int64_t c_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    float* out = c + row * c_stride;
    if (!keep) std::fill_n(out, n, 0.0f);
    for (int64_t i = 0; i < k; ++i) {
      const float factor = a[row * a_stride + i];
      for (int64_t j = 0; j < n; ++j) out[j] += factor * Element(b.data, i * b.stride + j, b.type);
    }
  }
}

void MultiplyTransposed(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                        const KvMatrix& b, float* c, int64_t c_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        sum += a[row * a_stride + i] * Element(b.data, j * b.stride + i, b.type);
      }
      c[row * c_stride + j] = sum;
    }
  }
}

float Largest(const float* values, int64_t count) {
  float most = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) most = std::max(most, values[i]);
  return most;
}

float Exponentials(float* values, int64_t count, float offset) {
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i] = std::exp(values[i] - offset);
  return sum;
}

}  // namespace

const AttentionKernels& PortableAttentionKernels() {
  static constexpr AttentionKernels kernels{"portable", Multiply, MultiplyTransposed, Largest,
                                            Exponentials};
  return kernels;
}

const AttentionKernels& BestAttentionKernels() {
  const Isa best = BestIsa();
  if (best >= Isa::kAvx512) return Avx512AttentionKernels();
  return best >= Isa::kAvx2 ? Avx2AttentionKernels() : PortableAttentionKernels();
}

}  // namespace portcullis::inference
