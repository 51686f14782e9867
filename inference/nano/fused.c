/* The elementwise half of a training step, each operation in one pass over memory.
 *
 * Compiled and called by fused.py (ctypes). bf16 values are uint16_t; sums are float. Rows are
 * independent and shared among threads by OpenMP. Shapes: n rows, d columns; B batch, T tokens,
 * h heads. The gradients are those of the functions beside them; fused.py --check compares both
 * with PyTorch's own.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;

static inline float Up(bf16 value) {
  uint32_t bits = (uint32_t)value << 16;
  float out;
  memcpy(&out, &bits, 4);
  return out;
}

static inline bf16 Down(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* y = x * rsqrt(mean(x^2) + eps) * w. x is float, or bf16 where `narrow`; rows lie `stride` apart. */
static void LoadRow(const void* x, int narrow, long at, long d, float* row) {
  if (narrow) {
    const bf16* from = (const bf16*)x + at;
    for (long i = 0; i < d; ++i) row[i] = Up(from[i]);
  } else {
    memcpy(row, (const float*)x + at, d * sizeof(float));
  }
}

void NormForward(const void* x, int narrow, long stride, const float* w, bf16* y, float* scales,
                 long n, long d, float eps) {
#pragma omp parallel for schedule(static)
  for (long r = 0; r < n; ++r) {
    float row[d], sum = 0;
    LoadRow(x, narrow, r * stride, d, row);
    for (long i = 0; i < d; ++i) sum += row[i] * row[i];
    float scale = 1.0f / sqrtf(sum / d + eps);
    scales[r] = scale;
    for (long i = 0; i < d; ++i) y[r * d + i] = Down(row[i] * scale * w[i]);
  }
}

void NormBackward(const void* x, int narrow, long stride, const float* w, const float* scales,
                  const bf16* dy, void* dx, float* dw, long n, long d) {
#pragma omp parallel
  {
    float own[d];
    memset(own, 0, sizeof own);
#pragma omp for schedule(static)
    for (long r = 0; r < n; ++r) {
      float row[d], grad[d], dot = 0, scale = scales[r];
      LoadRow(x, narrow, r * stride, d, row);
      for (long i = 0; i < d; ++i) {
        float g = Up(dy[r * d + i]);
        own[i] += g * row[i] * scale;
        grad[i] = g * w[i];
        dot += grad[i] * row[i];
      }
      float pull = dot * scale * scale * scale / d;
      for (long i = 0; i < d; ++i) grad[i] = grad[i] * scale - row[i] * pull;
      if (narrow) {
        for (long i = 0; i < d; ++i) ((bf16*)dx)[r * d + i] = Down(grad[i]);
      } else {
        memcpy((float*)dx + r * d, grad, d * sizeof(float));
      }
    }
#pragma omp critical
    for (long i = 0; i < d; ++i) dw[i] += own[i];
  }
}

/* y = silu(gate) * up * weight; a row of x is gate then up, both E experts of I; weights [n,E]. */
void GateForward(const bf16* x, const bf16* weights, bf16* y, long n, long experts, long inner) {
  long d = experts * inner;
#pragma omp parallel for schedule(static)
  for (long r = 0; r < n; ++r) {
    for (long e = 0; e < experts; ++e) {
      const bf16 *gate = x + 2 * r * d + e * inner, *up = gate + d;
      bf16* out = y + r * d + e * inner;
      float weight = weights ? Up(weights[r * experts + e]) : 1.0f;
      if (weight == 0) {
        memset(out, 0, inner * sizeof(bf16));
        continue;
      }
      for (long i = 0; i < inner; ++i) {
        float g = Up(gate[i]);
        out[i] = Down(g / (1.0f + expf(-g)) * Up(up[i]) * weight);
      }
    }
  }
}

void GateBackward(const bf16* x, const bf16* weights, const bf16* dy, bf16* dx, bf16* dweights, long n,
                  long experts, long inner) {
  long d = experts * inner;
#pragma omp parallel for schedule(static)
  for (long r = 0; r < n; ++r) {
    for (long e = 0; e < experts; ++e) {
      const bf16 *gate = x + 2 * r * d + e * inner, *up = gate + d, *grad = dy + r * d + e * inner;
      bf16 *dgate = dx + 2 * r * d + e * inner, *dup = dgate + d;
      float weight = weights ? Up(weights[r * experts + e]) : 1.0f, sum = 0;
      if (weight == 0) { /* not chosen: the router's gradient is masked there too */
        memset(dgate, 0, inner * sizeof(bf16));
        memset(dup, 0, inner * sizeof(bf16));
        dweights[r * experts + e] = 0;
        continue;
      }
      for (long i = 0; i < inner; ++i) {
        float g = Up(gate[i]), u = Up(up[i]), o = Up(grad[i]);
        float s = 1.0f / (1.0f + expf(-g)), a = g * s;
        sum += o * a * u;
        o *= weight;
        dgate[i] = Down(o * u * s * (1.0f + g * (1.0f - s)));
        dup[i] = Down(o * a);
      }
      if (dweights) dweights[r * experts + e] = Down(sum);
    }
  }
}

/* Splits projections into heads and rotates: Q, K [B*h,T,nope+rope], V [B*h,T,v]. */
void PackHeads(const bf16* q, const bf16* kv, const bf16* kr, long kr_stride, const float* cosine,
               const float* sine, bf16* Q, bf16* K, bf16* V, long B, long T, long h, long nope, long rope,
               long v, float scale) {
  long dk = nope + rope, half = rope / 2;
#pragma omp parallel for schedule(static)
  for (long r = 0; r < B * T; ++r) {
    long b = r / T, t = r % T;
    const float *c = cosine + t * half, *s = sine + t * half;
    bf16 rotated[rope];
    for (long i = 0; i < half; ++i) {
      float x = Up(kr[r * kr_stride + 2 * i]), y = Up(kr[r * kr_stride + 2 * i + 1]);
      rotated[2 * i] = Down(x * c[i] - y * s[i]);
      rotated[2 * i + 1] = Down(x * s[i] + y * c[i]);
    }
    for (long k = 0; k < h; ++k) {
      const bf16 *from = q + (r * h + k) * dk, *pair = kv + (r * h + k) * (nope + v);
      bf16 *to = Q + ((b * h + k) * T + t) * dk, *key = K + ((b * h + k) * T + t) * dk;
      for (long i = 0; i < nope; ++i) to[i] = Down(Up(from[i]) * scale);
      for (long i = 0; i < half; ++i) {
        float x = Up(from[nope + 2 * i]) * scale, y = Up(from[nope + 2 * i + 1]) * scale;
        to[nope + 2 * i] = Down(x * c[i] - y * s[i]);
        to[nope + 2 * i + 1] = Down(x * s[i] + y * c[i]);
      }
      memcpy(key, pair, nope * sizeof(bf16));
      memcpy(key + nope, rotated, rope * sizeof(bf16));
      memcpy(V + ((b * h + k) * T + t) * v, pair + nope, v * sizeof(bf16));
    }
  }
}

void PackHeadsBackward(const bf16* dQ, const bf16* dK, const bf16* dV, const float* cosine,
                       const float* sine, bf16* dq, bf16* dkv, bf16* dkr, long B, long T, long h, long nope,
                       long rope, long v, float scale) {
  long dk = nope + rope, half = rope / 2;
#pragma omp parallel for schedule(static)
  for (long r = 0; r < B * T; ++r) {
    long b = r / T, t = r % T;
    const float *c = cosine + t * half, *s = sine + t * half;
    float sum[rope];
    memset(sum, 0, sizeof sum);
    for (long k = 0; k < h; ++k) {
      const bf16 *from = dQ + ((b * h + k) * T + t) * dk, *key = dK + ((b * h + k) * T + t) * dk;
      bf16 *to = dq + (r * h + k) * dk, *pair = dkv + (r * h + k) * (nope + v);
      for (long i = 0; i < nope; ++i) to[i] = Down(Up(from[i]) * scale);
      for (long i = 0; i < half; ++i) {
        float x = Up(from[nope + 2 * i]) * scale, y = Up(from[nope + 2 * i + 1]) * scale;
        to[nope + 2 * i] = Down(x * c[i] + y * s[i]);
        to[nope + 2 * i + 1] = Down(y * c[i] - x * s[i]);
      }
      for (long i = 0; i < rope; ++i) sum[i] += Up(key[nope + i]);
      memcpy(pair, key, nope * sizeof(bf16));
      memcpy(pair + nope, dV + ((b * h + k) * T + t) * v, v * sizeof(bf16));
    }
    for (long i = 0; i < half; ++i) {
      float x = sum[2 * i], y = sum[2 * i + 1];
      dkr[r * rope + 2 * i] = Down(x * c[i] + y * s[i]);
      dkr[r * rope + 2 * i + 1] = Down(y * c[i] - x * s[i]);
    }
  }
}

/* Causal softmax of S [n,T,T] in place; what lies above the diagonal becomes 0. */
void SoftmaxForward(bf16* S, long n, long T) {
#pragma omp parallel for schedule(static)
  for (long r = 0; r < n * T; ++r) {
    bf16* row = S + r * T;
    long count = r % T + 1;
    float values[count], top = -INFINITY, sum = 0;
    for (long i = 0; i < count; ++i) values[i] = Up(row[i]);
    for (long i = 0; i < count; ++i) top = values[i] > top ? values[i] : top;
    for (long i = 0; i < count; ++i) sum += values[i] = expf(values[i] - top);
    float scale = 1.0f / sum;
    for (long i = 0; i < count; ++i) row[i] = Down(values[i] * scale);
    memset(row + count, 0, (T - count) * sizeof(bf16));
  }
}

/* dS = P * (dP - sum(dP * P)), in place of dP. */
void SoftmaxBackward(const bf16* P, bf16* dP, long n, long T) {
#pragma omp parallel for schedule(static)
  for (long r = 0; r < n * T; ++r) {
    const bf16* p = P + r * T;
    bf16* g = dP + r * T;
    long count = r % T + 1;
    float sum = 0;
    for (long i = 0; i < count; ++i) sum += Up(p[i]) * Up(g[i]);
    for (long i = 0; i < count; ++i) g[i] = Down(Up(p[i]) * (Up(g[i]) - sum));
    memset(g + count, 0, (T - count) * sizeof(bf16));
  }
}

/* Mean cross-entropy of logits [n,d] with class indices, rows with a negative index left out; the
 * logits become its gradient. */
double CrossEntropy(bf16* logits, const int64_t* targets, long n, long d) {
  double total = 0;
  long count = 0;
  for (long r = 0; r < n; ++r) count += targets[r] >= 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
  for (long r = 0; r < n; ++r) {
    bf16* row = logits + r * d;
    if (targets[r] < 0) {
      memset(row, 0, d * sizeof(bf16));
      continue;
    }
    float values[d], top = -INFINITY, sum = 0;
    for (long i = 0; i < d; ++i) values[i] = Up(row[i]);
    for (long i = 0; i < d; ++i) top = values[i] > top ? values[i] : top;
    float wanted = values[targets[r]] - top;
    for (long i = 0; i < d; ++i) sum += values[i] = expf(values[i] - top);
    total += logf(sum) - wanted;
    float scale = 1.0f / sum / count;
    for (long i = 0; i < d; ++i) row[i] = Down(values[i] * scale);
    row[targets[r]] = Down(values[targets[r]] * scale - 1.0f / count);
  }
  return total / count;
}
