// How much work a model's layers are, counted from its files: the bytes of weights that a forward
// pass reads and the operations it does, so that a benchmark can say which part of the machine's
// limits was reached. Embeddings are looked up, not read; attention and norms are not counted.
#pragma once

#include <cstdint>

#include "inference/model/config.h"
#include "inference/model/weights.h"

namespace portcullis::inference {

struct Work {
  int64_t common_bytes = 0;       // of matrices that every token uses, the output layer included
  int64_t common_weights = 0;
  int64_t output_weights = 0;     // of them in the output layer, which not every row needs
  int64_t expert_bytes = 0;       // of all routed experts of all layers
  int64_t expert_weights = 0;
  int64_t experts = 0;            // a layer has that many
  int64_t experts_used = 0;       // and a token uses that many of them

  // Weights' bytes read by a pass over `rows` tokens; the share of experts that at least one row
  // uses is that of uniform random routing.
  double BytesRead(int64_t rows) const;
  // Multiplications and additions of a pass over `rows` tokens, of which `logit_rows` get logits.
  double Operations(int64_t rows, int64_t logit_rows) const;
};

Work CountWork(const Weights& weights, const ModelConfig& config);

}  // namespace portcullis::inference
