#include "inference/ops/onednn.h"

#include <dnnl.h>

#include <new>


namespace portcullis::inference {

void MatMul(Right right, int64_t m, int64_t n, int64_t k, const float* a, int64_t a_stride,
            const float* b, int64_t b_stride, float keep, float* c, int64_t c_stride) {
  const dnnl_status_t status =
      dnnl_sgemm('N', right == Right::kTransposed ? 'T' : 'N', m, n, k, 1.0f, a, a_stride, b,
                 b_stride, keep, c, c_stride);
  // The arguments are valid by construction, so all that can fail is memory for packed copies.
  if (status != dnnl_success) throw std::bad_alloc();
}

}  // namespace portcullis::inference
