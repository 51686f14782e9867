// Token rows with AVX-512 BW: products of bytes in 16-bit pairs (vpmaddubsw).
//
// vpmaddubsw multiplies unsigned by signed bytes and adds neighbours with saturation at 32,767.
// With |x| <= 127 a pair of b-bit unsigned weights is at most 2 · (2^b - 1) · 127, and kPairs of
// them are added in 16 bits before they are widened:
//   4 bits: 8 · 2 · 15 · 127 = 30,480     5 bits: 4 · 2 · 31 · 127 = 31,496
//   6 bits: 2 · 2 · 63 · 127 = 32,004     8 bits: 1 · 2 · 128 · 127 = 32,512
// all below 32,767, so nothing saturates and nothing wraps. Signed 8-bit weights are computed as
// |w| · (x with w's sign): |-128| is 128 as an unsigned byte, and x is never -128, so both exist.
#include "inference/ops/kernels/simd512.h"

namespace portcullis::inference {
namespace {

struct Avx512 : Simd512 {
  static constexpr int kSignedOffset = 0;

  static Bytes LoadSigned(const std::byte* from) { return Load(from); }

  template <int kBits, int kSteps, class Prefetches>
  static Ints Dot(const Bytes* w, const int8_t* x, Ints start, Prefetches prefetch) {
    constexpr int kPairs = kBits == 4 ? 8 : kBits == 5 ? 4 : kBits == 6 ? 2 : 1;
    const __m512i ones = _mm512_set1_epi16(1);
    Ints total = start;
    Ints pairs = _mm512_setzero_si512();
    for (int s = 0; s < kSteps; ++s) {
      prefetch(s);
      Ints four = Four(x + 4 * s);
      Bytes weights = w[s];
      if constexpr (kBits == 8) {
        four = _mm512_mask_sub_epi8(four, _mm512_movepi8_mask(weights), _mm512_setzero_si512(),
                                    four);
        weights = _mm512_abs_epi8(weights);
      }
      const Ints products = _mm512_maddubs_epi16(weights, four);
      pairs = s % kPairs == 0 ? products : _mm512_add_epi16(pairs, products);
      if (s % kPairs == kPairs - 1 || s == kSteps - 1) {
        total = _mm512_add_epi32(total, _mm512_madd_epi16(pairs, ones));
      }
    }
    return total;
  }
};

}  // namespace

const Kernels kAvx512Kernels = MakeKernels<Avx512>();

}  // namespace portcullis::inference
