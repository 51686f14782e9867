// Blocks with scales of scales (the K types) are fitted in three steps. Each group gets its own
// best scale, and offset, as real numbers. These are rounded to the block's small integers. Then,
// in turn, each group tries its neighbouring integers, and the block's factors are fitted anew by
// least squares with everything else held; a step is kept only if the error falls.
#include "inference/model/quantize_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "inference/model/quantize.h"
#include "inference/model/quantize_search.h"
#include "inference/ops/dequantize.h"

namespace portcullis::inference::quantize {
namespace {

constexpr int kBlock = 32;
constexpr int kSuperBlock = 256;
constexpr int kPasses = 2;

void Store16(uint16_t value, std::byte* out) { std::memcpy(out, &value, sizeof value); }

// The half nearest to a factor, as a float.
float Halved(float value) { return HalfToFloat(FloatToHalf(value)); }

template <int kCount>
PORTCULLIS_INLINE void RoundAll(const float* x, float scale, float offset, float least, float most,
                                int* out) {
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  for (int i = 0; i < kCount; i += kLanes) {
    Lanes q;
    Load(x + i, q);
    q = (q + offset) * inverse;
    Round(q);
    Clamp(q, least, most);
    for (int k = 0; k < kLanes; ++k) out[i + k] = static_cast<int>(q[k]);
  }
}

// --- Q4_K and Q5_K ---------------------------------------------------------------------------
// x ≈ factor · scale[g] · q - base · min[g], eight groups of 32.

constexpr int kGroups = 8;
constexpr int kGroupSize = 32;
constexpr int kMostScale = 63;

struct AffineBlock {
  float factor = 0, base = 0;  // exactly representable as halves
  std::array<int, kGroups> scale{}, min{};
};

PORTCULLIS_INLINE float GroupError(const AffineBlock& block, int g, int s, int m, const float* x,
                                   const float* w, float most) {
  return RoundingError<kGroupSize>(x + g * kGroupSize, w + g * kGroupSize,
                                   block.factor * static_cast<float>(s),
                                   block.base * static_cast<float>(m), 0, most);
}

PORTCULLIS_INLINE float BlockError(const AffineBlock& block, const float* x, const float* w,
                                   float most) {
  float error = 0;
  for (int g = 0; g < kGroups; ++g) {
    error += GroupError(block, g, block.scale[g], block.min[g], x, w, most);
  }
  return error;
}

PORTCULLIS_INLINE void TryNeighbours(AffineBlock& block, const float* x, const float* w,
                                     float most) {
  for (int g = 0; g < kGroups; ++g) {
    const int s = block.scale[g];
    const int m = block.min[g];
    float best = GroupError(block, g, s, m, x, w, most);
    for (int ds = -1; ds <= 1; ++ds) {
      for (int dm = -1; dm <= 1; ++dm) {
        const int new_s = s + ds;
        const int new_m = m + dm;
        if (new_s < 0 || new_s > kMostScale || new_m < 0 || new_m > kMostScale) continue;
        const float error = GroupError(block, g, new_s, new_m, x, w, most);
        if (error < best) {
          best = error;
          block.scale[g] = new_s;
          block.min[g] = new_m;
        }
      }
    }
  }
}

// The two factors that fit best with the roundings as they are.
PORTCULLIS_INLINE AffineBlock Refit(AffineBlock block, const float* x, const float* w, float most) {
  float aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
  for (int g = 0; g < kGroups; ++g) {
    const auto s = static_cast<float>(block.scale[g]);
    const auto m = static_cast<float>(block.min[g]);
    const float step = block.factor * s;
    if (step == 0) continue;
    const float* values = x + g * kGroupSize;
    const float* weights = w + g * kGroupSize;
    const Moments moments = RoundedMoments<kGroupSize>(
        values, weights, 1.0f / step, block.base * m / step, 0, most);
    Lanes w_sum{}, x_sum{};
    for (int i = 0; i < kGroupSize; i += kLanes) {
      Lanes value, weight;
      Load(values + i, value);
      Load(weights + i, weight);
      w_sum += weight;
      x_sum += weight * value;
    }
    aa += s * s * moments.qq;
    ab += s * m * moments.q;
    bb += m * m * Sum(w_sum);
    ax += s * moments.qx;
    bx += m * Sum(x_sum);
  }
  const float determinant = aa * bb - ab * ab;
  if (determinant > 1e-6f * aa * bb) {
    block.factor = Halved((bb * ax - ab * bx) / determinant);
    block.base = Halved((ab * ax - aa * bx) / determinant);
  } else if (aa > 0 && block.base == 0) {
    block.factor = Halved(ax / aa);
  }
  return block;
}

PORTCULLIS_INLINE AffineBlock FitAffine(const float* x, const float* w, float most, int steps,
                                        float step) {
  std::array<Affine, kGroups> groups;
  float scale_most = 0, offset_most = 0;
  for (int g = 0; g < kGroups; ++g) {
    groups[g] = AffineScale<kGroupSize>(x + g * kGroupSize, w + g * kGroupSize, most, steps, step);
    scale_most = std::max(scale_most, groups[g].scale);
    offset_most = std::max(offset_most, groups[g].offset);
  }
  AffineBlock block;
  block.factor = Halved(scale_most / kMostScale);
  block.base = Halved(offset_most / kMostScale);
  for (int g = 0; g < kGroups; ++g) {
    const auto small = [](float value, float unit) {
      if (unit == 0) return 0;
      return std::clamp(static_cast<int>(std::lround(value / unit)), 0, kMostScale);
    };
    block.scale[g] = small(groups[g].scale, block.factor);
    block.min[g] = small(groups[g].offset, block.base);
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    TryNeighbours(block, x, w, most);
    const AffineBlock fitted = Refit(block, x, w, most);
    if (fitted.factor < 0 || fitted.base < 0) break;
    if (!(BlockError(fitted, x, w, most) < BlockError(block, x, w, most))) break;
    block = fitted;
  }
  return block;
}

AffineBlock FitAffine4(const float* x, const float* w) {
  return FitAffine(x, w, 15, 10, 0.15f);
}
AffineBlock FitAffine5(const float* x, const float* w) {
  return FitAffine(x, w, 31, 8, 0.15f);
}

// Six bits of each: the first four groups whole in bytes 0-7, the upper two bits of the last four in
// what is free there.
void PackScales(const AffineBlock& block, std::byte* out) {
  std::array<uint8_t, 12> packed{};
  for (int g = 0; g < 4; ++g) {
    packed[g] = static_cast<uint8_t>(block.scale[g] | (block.scale[g + 4] >> 4) << 6);
    packed[g + 4] = static_cast<uint8_t>(block.min[g] | (block.min[g + 4] >> 4) << 6);
    packed[g + 8] = static_cast<uint8_t>((block.scale[g + 4] & 15) | (block.min[g + 4] & 15) << 4);
  }
  std::memcpy(out, packed.data(), packed.size());
}

template <bool kFiveBits>
void WriteAffine(const AffineBlock& block, const float* x, std::byte* out) {
  Store16(FloatToHalf(block.factor), out);
  Store16(FloatToHalf(block.base), out + 2);
  PackScales(block, out + 4);
  std::byte* high = out + 16;
  std::byte* nibbles = kFiveBits ? high + 32 : high;
  std::memset(high, 0, kFiveBits ? 160 : 128);
  for (int g = 0; g < kGroups; ++g) {
    int q[kGroupSize];
    RoundAll<kGroupSize>(x + g * kGroupSize, block.factor * static_cast<float>(block.scale[g]),
                         block.base * static_cast<float>(block.min[g]), 0, kFiveBits ? 31 : 15, q);
    for (int i = 0; i < kGroupSize; ++i) {
      const int shift = g % 2 * 4;
      nibbles[g / 2 * 32 + i] |= static_cast<std::byte>((q[i] & 15) << shift);
      if constexpr (kFiveBits) high[i] |= static_cast<std::byte>((q[i] >> 4) << g);
    }
  }
}

// --- Q6_K ------------------------------------------------------------------------------
// x ≈ factor · scale[g] · q, sixteen groups of 16, q from -32 to 31, scales from -128 to 127.

constexpr int kSmallGroups = 16;
constexpr int kSmallSize = 16;

struct ScaledBlock {
  float factor = 0;
  std::array<int, kSmallGroups> scale{};
};

PORTCULLIS_INLINE float SmallError(float factor, int scale, const float* x, const float* w) {
  return RoundingError<kSmallSize>(x, w, factor * static_cast<float>(scale), 0, -32, 31);
}

ScaledBlock FitScaled(const float* x, const float* w) {
  std::array<float, kSmallGroups> scales;
  for (int g = 0; g < kSmallGroups; ++g) {
    scales[g] = SymmetricScale<kSmallSize>(x + g * kSmallSize, w + g * kSmallSize, -32, 31, 5, 0.2f);
  }
  ScaledBlock block;
  block.factor = Halved(Peak<kSmallGroups>(scales.data()) / -128.0f);
  if (block.factor == 0) return block;
  for (int g = 0; g < kSmallGroups; ++g) {
    block.scale[g] = std::clamp(static_cast<int>(std::lround(scales[g] / block.factor)), -128, 127);
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    float error = 0, aa = 0, ax = 0;
    for (int g = 0; g < kSmallGroups; ++g) {
      const float* values = x + g * kSmallSize;
      const float* weights = w + g * kSmallSize;
      const int first = block.scale[g];
      float best = SmallError(block.factor, first, values, weights);
      for (const int other : {first - 1, first + 1}) {
        if (other < -128 || other > 127) continue;
        const float tried = SmallError(block.factor, other, values, weights);
        if (tried < best) {
          best = tried;
          block.scale[g] = other;
        }
      }
      error += best;
      const auto s = static_cast<float>(block.scale[g]);
      if (s == 0) continue;
      const Moments m = RoundedMoments<kSmallSize>(values, weights, 1.0f / (block.factor * s), 0,
                                                   -32, 31);
      aa += s * s * m.qq;
      ax += s * m.qx;
    }
    if (!(aa > 0)) break;
    const float fitted = Halved(ax / aa);
    if (fitted == 0) break;
    float fitted_error = 0;
    for (int g = 0; g < kSmallGroups; ++g) {
      fitted_error += SmallError(fitted, block.scale[g], x + g * kSmallSize, w + g * kSmallSize);
    }
    if (!(fitted_error < error)) break;
    block.factor = fitted;
  }
  return block;
}

// --- blocks of 32 with one scale -----------------------------------------------------------------

// The nearest half of the best scale, or one of its neighbours.
PORTCULLIS_INLINE float BestHalf(const float* x, const float* w, float scale, float least,
                                 float most) {
  const uint16_t middle = FloatToHalf(scale);
  float best = HalfToFloat(middle);
  float best_error = RoundingError<kBlock>(x, w, best, 0, least, most);
  for (const int other : {middle - 1, middle + 1}) {
    const float candidate = HalfToFloat(static_cast<uint16_t>(other));
    if (!std::isfinite(candidate) || (candidate < 0) != (best < 0)) continue;
    const float error = RoundingError<kBlock>(x, w, candidate, 0, least, most);
    if (error < best_error) {
      best_error = error;
      best = candidate;
    }
  }
  return best;
}

float FitQ4_0(const float* x, const float* w) {
  return BestHalf(x, w, SymmetricScale<kBlock>(x, w, -8, 7, 14, 0.1f), -8, 7);
}
float FitQ5_0(const float* x, const float* w) {
  return BestHalf(x, w, SymmetricScale<kBlock>(x, w, -16, 15, 14, 0.1f), -16, 15);
}
float FitQ8_0(const float* x, const float* w) {
  return BestHalf(x, w, SymmetricScale<kBlock>(x, w, -127, 127, 3, 0.25f), -127, 127);
}

}  // namespace

void BlockQ8_0(const float* x, const float* w, std::byte* out) {
  const float scale = FitQ8_0(x, w);
  int q[kBlock];
  RoundAll<kBlock>(x, scale, 0, -127, 127, q);
  Store16(FloatToHalf(scale), out);
  for (int i = 0; i < kBlock; ++i) out[2 + i] = static_cast<std::byte>(q[i]);
}

void BlockQ4_0(const float* x, const float* w, std::byte* out) {
  const float scale = FitQ4_0(x, w);
  int q[kBlock];
  RoundAll<kBlock>(x, scale, 0, -8, 7, q);
  Store16(FloatToHalf(scale), out);
  for (int i = 0; i < kBlock / 2; ++i) {
    out[2 + i] = static_cast<std::byte>((q[i] + 8) | (q[i + kBlock / 2] + 8) << 4);
  }
}

void BlockQ5_0(const float* x, const float* w, std::byte* out) {
  const float scale = FitQ5_0(x, w);
  int q[kBlock];
  RoundAll<kBlock>(x, scale, 0, -16, 15, q);
  uint32_t fifths = 0;
  for (int i = 0; i < kBlock; ++i) {
    q[i] += 16;
    fifths |= static_cast<uint32_t>(q[i] >> 4) << i;
  }
  Store16(FloatToHalf(scale), out);
  std::memcpy(out + 2, &fifths, sizeof fifths);
  for (int i = 0; i < kBlock / 2; ++i) {
    out[6 + i] = static_cast<std::byte>((q[i] & 15) | (q[i + kBlock / 2] & 15) << 4);
  }
}

void BlockQ4K(const float* x, const float* w, std::byte* out) {
  WriteAffine<false>(FitAffine4(x, w), x, out);
}

void BlockQ5K(const float* x, const float* w, std::byte* out) {
  WriteAffine<true>(FitAffine5(x, w), x, out);
}

void BlockQ6K(const float* x, const float* w, std::byte* out) {
  const ScaledBlock block = FitScaled(x, w);
  std::memset(out, 0, 210);
  int q[kSuperBlock];
  for (int g = 0; g < kSmallGroups; ++g) {
    RoundAll<kSmallSize>(x + g * kSmallSize, block.factor * static_cast<float>(block.scale[g]), 0,
                         -32, 31, q + g * kSmallSize);
    out[192 + g] = static_cast<std::byte>(block.scale[g]);
  }
  for (int half = 0; half < 2; ++half) {
    std::byte* low = out + half * 64;
    std::byte* high = out + 128 + half * 32;
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i) {
        const int value = q[half * 128 + run * 32 + i] + 32;
        low[run % 2 * 32 + i] |= static_cast<std::byte>((value & 15) << (run < 2 ? 0 : 4));
        high[i] |= static_cast<std::byte>((value >> 4) << (2 * run));
      }
    }
  }
  Store16(FloatToHalf(block.factor), out + 208);
}

}  // namespace portcullis::inference::quantize
