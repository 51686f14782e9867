// The inner loops of attention for each instruction set. Every element of a result is summed in an
// order that depends on its own length only, so that rows may be tiled in any way.
// Kernels of different instruction sets agree within rounding.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/ops/kv_block.h"

namespace portcullis::inference {

// A block's keys or values of one head.
struct KvMatrix {
  const std::byte* data;
  int64_t stride;         // elements from one row to the next
  KvType type;
  // What will be multiplied after this, as many bytes: fetched into the second-level cache meanwhile, since a
  // block is too short for the processor to find out by itself. Null: nothing.
  const std::byte* next = nullptr;
};

struct AttentionKernels {
  const char* name;
  // c[rows][n] = a[rows][k] · b[k][n], plus c where `keep`. n is a multiple of 16.
  void (*multiply)(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                   const KvMatrix& b, float* c, int64_t c_stride);
  // c[rows][n] = a[rows][k] · b[n][k]. n is a multiple of 4, k of 16.
  void (*multiply_transposed)(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                              const KvMatrix& b, float* c, int64_t c_stride);
  // The largest of `count` values, a multiple of 16.
  float (*largest)(const float* values, int64_t count);
  // value = exp(value - offset), 0 for minus infinity; gives their sum. `count` as above.
  float (*exponentials)(float* values, int64_t count, float offset);
};

const AttentionKernels& PortableAttentionKernels();
const AttentionKernels& Avx2AttentionKernels();
const AttentionKernels& Avx512AttentionKernels();
// The fastest this machine can run.
const AttentionKernels& BestAttentionKernels();

}  // namespace portcullis::inference
