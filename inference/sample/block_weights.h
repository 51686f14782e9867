// Softmax weights of a whole vocabulary, in blocks: most of what a sampler asks is answered by the
// greatest logit or the sum of a block, and only a few blocks are looked into. Weights are f32, within
// 2e-6 of the exact ones relative to the total; the same bits on every machine, for what AVX2 computes
// is computed in the same order elsewhere. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace portcullis::inference {

inline constexpr size_t kWeightBlock = 256;
using BlockOfWeights = std::array<float, kWeightBlock>;

inline size_t BlocksOf(size_t count) { return (count + kWeightBlock - 1) / kWeightBlock; }

// The greatest of each block.
void BlockMaxima(std::span<const float> logits, std::vector<float>& maxima);
// exp((logit - top) · scale) of block `index`, 0 behind the last logit; gives their sum.
float WeighBlock(std::span<const float> logits, size_t index, float top, float scale, BlockOfWeights& weights);

}  // namespace portcullis::inference
