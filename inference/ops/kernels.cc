#include "inference/ops/kernels.h"

namespace portcullis::inference {

const Kernels& KernelsFor(Isa isa, CacheLevel prefetch) {
  const bool second = prefetch == CacheLevel::kSecond;
  switch (isa) {
    case Isa::kAvx2: return second ? kAvx2SecondLevelKernels : kAvx2Kernels;
    case Isa::kAvxVnni: return kAvxVnniKernels;
    case Isa::kAvx512: return kAvx512Kernels;
    case Isa::kAvx512Vnni:
    case Isa::kAmx:  // of few token rows; see amx.h
      return second ? kAvx512VnniSecondLevelKernels : kAvx512VnniKernels;
    case Isa::kScalar: break;
  }
  return kScalarKernels;
}

}  // namespace portcullis::inference
