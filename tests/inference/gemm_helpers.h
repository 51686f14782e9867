// Random matrices of every type for the tests of linear layers, and the plain answer to compare
// with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "inference/model/weights.h"

namespace portcullis::inference {

// Owns the bytes of a matrix, which begin at an odd address: nothing may count on alignment.
struct RandomMatrix {
  RandomMatrix(DataType type, int64_t rows, int64_t columns, uint32_t seed);

  Matrix matrix;
  std::string bytes;
  std::vector<float> scales;  // of kF8E4M3
};

std::vector<float> RandomFloats(int64_t count, uint32_t seed);

// All tiles of a matrix whose type has a packed layout.
std::vector<std::byte> Packed(const Matrix& matrix);

// The matrix in f32, without any vector code.
std::vector<float> PlainValues(const Matrix& matrix);

// sum[m][n] and the sum of the magnitudes of what was added, in double.
struct PlainProduct {
  std::vector<double> sums, magnitudes;
};
PlainProduct Multiply(const Matrix& matrix, const float* x, int64_t x_stride, int64_t m);

// |computed - sums| relative to |sums|, over all values together.
double RelativeError(const PlainProduct& plain, const float* computed, int64_t stride, int64_t m,
                     int64_t n);

}  // namespace portcullis::inference
