// The searches behind quantize.cc and quantize_blocks.cc: for one group of values, the scale (and
// offset) whose rounded values come nearest, by weighted least squares. A grid of first guesses
// gives roundings; each rounding has a best scale in closed form; the best of them is improved by
// rounding and fitting in turn until nothing changes. Four lanes of f32 at a time, which every
// x86-64 has, without fused multiply-adds: the result is the same on every machine.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

namespace portcullis::inference::quantize {

using Lanes = float __attribute__((vector_size(16)));
constexpr int kLanes = 4;

#define PORTCULLIS_INLINE inline __attribute__((always_inline))

PORTCULLIS_INLINE void Load(const float* from, Lanes& to) { std::memcpy(&to, from, sizeof to); }

PORTCULLIS_INLINE float Sum(const Lanes& x) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}

// To the nearest whole number, ties to even; |x| below 2^22.
PORTCULLIS_INLINE void Round(Lanes& x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 · 2^23
  x = (x + kMagic) - kMagic;
}

PORTCULLIS_INLINE void Clamp(Lanes& x, float least, float most) {
  const Lanes low = Lanes{} + least;
  const Lanes high = Lanes{} + most;
  x = x < low ? low : x;
  x = x > high ? high : x;
}

// Sums that decide over a rounding q of x: with weights w.
struct Moments {
  float q = 0, qq = 0, qx = 0;  // sums of w·q, w·q², w·q·x
};

// q = clamp(round(x · inverse + shift)).
template <int kCount>
PORTCULLIS_INLINE Moments RoundedMoments(const float* x, const float* w, float inverse, float shift,
                                         float least, float most) {
  Lanes q_sum{}, qq_sum{}, qx_sum{};
  for (int i = 0; i < kCount; i += kLanes) {
    Lanes value, weight;
    Load(x + i, value);
    Load(w + i, weight);
    Lanes q = value * inverse + shift;
    Round(q);
    Clamp(q, least, most);
    const Lanes wq = weight * q;
    q_sum += wq;
    qq_sum += wq * q;
    qx_sum += wq * value;
  }
  return {Sum(q_sum), Sum(qq_sum), Sum(qx_sum)};
}

// Sum of w · (scale · q - offset - x)² with the best q.
template <int kCount>
PORTCULLIS_INLINE float RoundingError(const float* x, const float* w, float scale, float offset,
                                      float least, float most) {
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  Lanes sum{};
  for (int i = 0; i < kCount; i += kLanes) {
    Lanes value, weight;
    Load(x + i, value);
    Load(w + i, weight);
    Lanes q = (value + offset) * inverse;
    Round(q);
    Clamp(q, least, most);
    const Lanes error = q * scale - offset - value;
    sum += weight * error * error;
  }
  return Sum(sum);
}

// The value of largest magnitude, with its sign.
template <int kCount>
PORTCULLIS_INLINE float Peak(const float* x) {
  float peak = 0;
  for (int i = 0; i < kCount; ++i) {
    if (std::fabs(x[i]) > std::fabs(peak)) peak = x[i];
  }
  return peak;
}

// x ≈ scale · q with q from `least` (negative) to `most`. The peak goes near `least`, which reaches
// one further than `most`; `steps` guesses to each side of that, `step` apart.
template <int kCount>
PORTCULLIS_INLINE float SymmetricScale(const float* x, const float* w, float least, float most,
                                       int steps, float step) {
  const float peak = Peak<kCount>(x);
  if (std::fabs(peak) < 1e-30f) return 0;
  float best_gain = 0;
  float best = 0;
  const auto consider = [&](float inverse) {
    const Moments m = RoundedMoments<kCount>(x, w, inverse, 0, least, most);
    if (!(m.qq > 0)) return false;
    const float gain = m.qx * m.qx / m.qq;  // by so much the error is below that of all zeros
    if (!(gain > best_gain)) return false;
    best_gain = gain;
    best = m.qx / m.qq;
    return true;
  };
  for (int k = -steps; k <= steps; ++k) {
    consider((least + step * static_cast<float>(k)) / peak);
  }
  consider(most / peak);
  for (int round = 0; round < 4 && best != 0; ++round) {
    if (!consider(1.0f / best)) break;
  }
  return best;
}

struct Affine {
  float scale = 0;
  float offset = 0;  // never negative: what is subtracted
};

// x ≈ scale · q - offset with q from 0 to `most`.
template <int kCount>
PORTCULLIS_INLINE Affine AffineScale(const float* x, const float* w, float most, int steps,
                                     float step) {
  float low = 0;
  float high = x[0];
  float w_sum = 0, x_sum = 0, xx_sum = 0;
  for (int i = 0; i < kCount; ++i) {
    low = std::fmin(low, x[i]);
    high = std::fmax(high, x[i]);
    w_sum += w[i];
    x_sum += w[i] * x[i];
    xx_sum += w[i] * x[i] * x[i];
  }
  Affine best{0, -low};
  if (!(high - low > 1e-30f)) return best;
  float best_error = std::numeric_limits<float>::max();
  const auto consider = [&](float inverse, float offset) {
    const Moments m = RoundedMoments<kCount>(x, w, inverse, offset * inverse, 0, most);
    if (!(m.qq > 0)) return false;
    const float determinant = w_sum * m.qq - m.q * m.q;
    Affine fit{m.qx / m.qq, 0};
    if (determinant > 0) {
      const Affine both{(w_sum * m.qx - x_sum * m.q) / determinant,
                        (m.q * m.qx - m.qq * x_sum) / determinant};
      if (both.offset > 0) fit = both;
    }
    if (!(fit.scale > 0)) return false;
    // Σ w (s q - o - x)², multiplied out.
    const float error = fit.scale * fit.scale * m.qq + fit.offset * fit.offset * w_sum + xx_sum -
                        2 * fit.scale * fit.offset * m.q - 2 * fit.scale * m.qx +
                        2 * fit.offset * x_sum;
    if (!(error < best_error)) return false;
    best_error = error;
    best = fit;
    return true;
  };
  for (int k = -steps; k <= steps; ++k) {
    consider((most + step * static_cast<float>(k)) / (high - low), -low);
  }
  for (int round = 0; round < 4; ++round) {
    if (!(best.scale > 0) || !consider(1.0f / best.scale, best.offset)) break;
  }
  return best;
}

}  // namespace portcullis::inference::quantize
