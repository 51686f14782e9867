// Token rows with AVX-512 VNNI: vpdpbusd adds four products of unsigned by signed bytes to 32 bits
// and, unlike its variant vpdpbusds, neither saturates nor loses anything on the way: products are
// at most 255 · 127, a group of 32 at most 1,036,320, far from 2^31. Signed 8-bit weights are moved
// by 128 to be unsigned; the sum of the inputs times 128 is taken off beforehand.
#include "inference/ops/kernels/simd512.h"

namespace portcullis::inference {
namespace {

template <CacheLevel kLevel>
struct Avx512Vnni : Simd512 {
  static constexpr CacheLevel kPrefetchInto = kLevel;
  static constexpr int kSignedOffset = 128;

  static Bytes LoadSigned(const std::byte* from) {
    return _mm512_xor_si512(Load(from), _mm512_set1_epi8(-128));
  }

  template <int, int kSteps, class Prefetches>
  static Ints Dot(const Bytes* w, const int8_t* x, Ints start, Prefetches prefetch) {
    for (int s = 0; s < kSteps; ++s) {
      prefetch(s);
      start = _mm512_dpbusd_epi32(start, w[s], Four(x + 4 * s));
    }
    return start;
  }
};

}  // namespace

const Kernels kAvx512VnniKernels = MakeKernels<Avx512Vnni<CacheLevel::kFirst>>();
const Kernels kAvx512VnniSecondLevelKernels = MakeKernels<Avx512Vnni<CacheLevel::kSecond>>();

}  // namespace portcullis::inference
