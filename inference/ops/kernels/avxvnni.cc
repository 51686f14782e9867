// Token rows with AVX-VNNI: vpdpbusd on 256 bits, for processors without AVX-512. That it is exact
// is said in avx512vnni.cc.
#include "inference/ops/kernels/simd256.h"

namespace portcullis::inference {
namespace {

struct AvxVnni : Simd256 {
  static constexpr int kSignedOffset = 128;

  static Bytes LoadSigned(const std::byte* from) {
    return _mm256_xor_si256(Load(from), _mm256_set1_epi8(-128));
  }

  template <int, int kSteps, class Prefetches>
  static Ints Dot(const Bytes* w, const int8_t* x, Ints start, Prefetches prefetch) {
    for (int s = 0; s < kSteps; ++s) {
      prefetch(s);
      start = _mm256_dpbusd_avx_epi32(start, w[s], Four(x + 4 * s));
    }
    return start;
  }
};

}  // namespace

const Kernels kAvxVnniKernels = MakeKernels<AvxVnni>();

}  // namespace portcullis::inference
