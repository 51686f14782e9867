// A model of AMX's tile registers in plain C++, for machines that have none: included before code that uses their
// intrinsics, it takes the intrinsics' place. Source: Intel, "Intel 64 and IA-32 Architectures Software Developer's
// Manual", volume 2, TILELOADD, TILESTORED, TDPBSSD, TDPBSUD, TDPBF16PS, LDTILECFG. Unlike the processor it rounds the
// two bf16 products of a step one after the other and keeps denormals, so its f32 sums are not the processor's bits.
// One thread.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace portcullis::inference::tile_registers {

struct Register {
  int rows = 0, row_bytes = 0;
  unsigned char bytes[16][64] = {};

  template <class T>
  T Get(int row, int index) const {
    T value;
    std::memcpy(&value, bytes[row] + static_cast<size_t>(index) * sizeof value, sizeof value);
    return value;
  }
  template <class T>
  void Set(int row, int index, T value) {
    std::memcpy(bytes[row] + static_cast<size_t>(index) * sizeof value, &value, sizeof value);
  }
};
inline Register registers[8];

inline void Configure(const void* config) {
  const auto* from = static_cast<const unsigned char*>(config);
  for (int i = 0; i < 8; ++i) {
    registers[i] = {};
    registers[i].row_bytes = from[16 + 2 * i] | from[17 + 2 * i] << 8;
    registers[i].rows = from[48 + i];
  }
}
inline void Release() {
  for (auto& one : registers) one = {};
}
inline void Zero(int to) { std::memset(registers[to].bytes, 0, sizeof registers[to].bytes); }
inline void Load(int to, const void* from, int64_t stride) {
  Zero(to);
  for (int row = 0; row < registers[to].rows; ++row) {
    std::memcpy(registers[to].bytes[row], static_cast<const char*>(from) + row * stride,
                static_cast<size_t>(registers[to].row_bytes));
  }
}
inline void Store(int from, void* to, int64_t stride) {
  for (int row = 0; row < registers[from].rows; ++row) {
    std::memcpy(static_cast<char*>(to) + row * stride, registers[from].bytes[row],
                static_cast<size_t>(registers[from].row_bytes));
  }
}

// For each sum of `to` and each four bytes of a row of `a`: add(sum, row of a, column of b, four bytes' number).
template <class T, class Add>
void ForEachProduct(int to, int a, Add add) {
  Register& sums = registers[to];
  for (int m = 0; m < sums.rows; ++m) {
    for (int n = 0; n < sums.row_bytes / 4; ++n) {
      T sum = sums.Get<T>(m, n);
      for (int k = 0; k < registers[a].row_bytes / 4; ++k) sum = add(sum, m, n, k);
      sums.Set(m, n, sum);
    }
  }
}
template <class Weight>
void AddBytes(int to, int a, int b) {
  ForEachProduct<int32_t>(to, a, [&](int32_t sum, int m, int n, int k) {
    for (int i = 0; i < 4; ++i) {
      sum += registers[a].Get<int8_t>(m, 4 * k + i) * registers[b].Get<Weight>(k, 4 * n + i);
    }
    return sum;
  });
}
inline float Widened(uint16_t bf16) {
  const uint32_t bits = static_cast<uint32_t>(bf16) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline void AddBf16(int to, int a, int b) {
  ForEachProduct<float>(to, a, [&](float sum, int m, int n, int k) {
    for (int i = 0; i < 2; ++i) {
      sum = std::fma(Widened(registers[a].Get<uint16_t>(m, 2 * k + i)), Widened(registers[b].Get<uint16_t>(k, 2 * n + i)),
                     sum);
    }
    return sum;
  });
}

}  // namespace portcullis::inference::tile_registers

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbssd
#undef _tile_dpbsud
#undef _tile_dpbf16ps
#define _tile_loadconfig(...) portcullis::inference::tile_registers::Configure(__VA_ARGS__)
#define _tile_release() portcullis::inference::tile_registers::Release()
#define _tile_zero(to) portcullis::inference::tile_registers::Zero(to)
#define _tile_loadd(to, from, stride) portcullis::inference::tile_registers::Load(to, from, stride)
#define _tile_stored(from, to, stride) portcullis::inference::tile_registers::Store(from, to, stride)
#define _tile_dpbssd(to, a, b) portcullis::inference::tile_registers::AddBytes<int8_t>(to, a, b)
#define _tile_dpbsud(to, a, b) portcullis::inference::tile_registers::AddBytes<uint8_t>(to, a, b)
#define _tile_dpbf16ps(to, a, b) portcullis::inference::tile_registers::AddBf16(to, a, b)
