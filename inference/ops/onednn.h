// oneDNN behind one function, so that another version of it is a change of onednn.cc alone.
// Called inside a parallel region of libgomp it runs on the calling thread.
#pragma once

#include <cstdint>

namespace portcullis::inference {

enum class Right { kPlain, kTransposed };

// c[m][n] = a[m][k] · b + keep · c, row-major f32 with row strides. b is [k][n], or [n][k] where
// it is transposed. `keep` is 0 (c may be uninitialised) or 1. Throws std::bad_alloc.
void MatMul(Right right, int64_t m, int64_t n, int64_t k, const float* a, int64_t a_stride,
            const float* b, int64_t b_stride, float keep, float* c, int64_t c_stride);

}  // namespace portcullis::inference
