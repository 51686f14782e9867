// Upper limits of a model's dimensions: far above any model known, low enough that products of two
// of them and a few bytes cannot overflow 64 bits.
#pragma once

#include <cstdint>

namespace portcullis::inference {

inline constexpr int64_t kMaxVocabulary = 1 << 23;
inline constexpr int64_t kMaxWidth = 1 << 20;      // hidden and intermediate sizes, ranks
inline constexpr int64_t kMaxHeadWidth = 1 << 14;
inline constexpr int64_t kMaxLayers = 1 << 10;
inline constexpr int64_t kMaxHeads = 1 << 12;
inline constexpr int64_t kMaxExperts = 1 << 12;
inline constexpr int64_t kMaxContext = 1 << 26;

}  // namespace portcullis::inference
