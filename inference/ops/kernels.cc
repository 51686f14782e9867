#include "inference/ops/kernels.h"

namespace portcullis::inference {

const Kernels& KernelsFor(Isa isa) {
  switch (isa) {
    case Isa::kAvx2: return kAvx2Kernels;
    case Isa::kAvxVnni: return kAvxVnniKernels;
    case Isa::kAvx512: return kAvx512Kernels;
    case Isa::kAvx512Vnni:
    case Isa::kAmx: return kAvx512VnniKernels;  // of few token rows; see amx.h
    case Isa::kScalar: break;
  }
  return kScalarKernels;
}

}  // namespace portcullis::inference
