// Token rows with AVX2: products of bytes in 16-bit pairs (vpmaddubsw). Why neither saturation nor
// wrapping is possible is proved in avx512.cc, whose arithmetic this is, at half the width.
// vpsignb would turn -128 into itself; it is applied to the inputs, which are never -128.
#include "inference/ops/kernels/simd256.h"

namespace portcullis::inference {
namespace {

template <CacheLevel kLevel>
struct Avx2 : Simd256 {
  static constexpr CacheLevel kPrefetchInto = kLevel;
  static constexpr int kSignedOffset = 0;

  static Bytes LoadSigned(const std::byte* from) { return Load(from); }

  template <int kBits, int kSteps, class Prefetches>
  static Ints Dot(const Bytes* w, const int8_t* x, Ints start, Prefetches prefetch) {
    constexpr int kPairs = kBits == 4 ? 8 : kBits == 5 ? 4 : kBits == 6 ? 2 : 1;
    const __m256i ones = _mm256_set1_epi16(1);
    Ints total = start;
    Ints pairs = _mm256_setzero_si256();
    for (int s = 0; s < kSteps; ++s) {
      prefetch(s);
      Ints four = Four(x + 4 * s);
      Bytes weights = w[s];
      if constexpr (kBits == 8) {
        four = _mm256_sign_epi8(four, weights);
        weights = _mm256_abs_epi8(weights);
      }
      const Ints products = _mm256_maddubs_epi16(weights, four);
      pairs = s % kPairs == 0 ? products : _mm256_add_epi16(pairs, products);
      if (s % kPairs == kPairs - 1 || s == kSteps - 1) {
        total = _mm256_add_epi32(total, _mm256_madd_epi16(pairs, ones));
      }
    }
    return total;
  }
};

}  // namespace

const Kernels kAvx2Kernels = MakeKernels<Avx2<CacheLevel::kFirst>>();
const Kernels kAvx2SecondLevelKernels = MakeKernels<Avx2<CacheLevel::kSecond>>();

}  // namespace portcullis::inference
