#include "inference/model/quantize.h"

#include <array>
#include <bit>
#include <cstring>

#include "inference/model/quantize_blocks.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kMostBlockValues = 256;

template <uint16_t (*Convert)(float)>
void Convert16(const float* values, int64_t count, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t bits = Convert(values[i]);
    std::memcpy(out + 2 * i, &bits, sizeof bits);
  }
}

using BlockFunction = void (*)(const float* x, const float* w, std::byte* out);

BlockFunction FunctionOf(DataType type) {
  switch (type) {
    case DataType::kQ8_0: return quantize::BlockQ8_0;
    case DataType::kQ4_0: return quantize::BlockQ4_0;
    case DataType::kQ5_0: return quantize::BlockQ5_0;
    case DataType::kQ4_K: return quantize::BlockQ4K;
    case DataType::kQ5_K: return quantize::BlockQ5K;
    case DataType::kQ6_K: return quantize::BlockQ6K;
    default: return nullptr;
  }
}

}  // namespace

bool CanQuantize(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16 ||
         FunctionOf(type) != nullptr;
}

void QuantizeWeights(DataType type, const float* values, int64_t count,
                     std::span<const float> importance, std::byte* out) {
  switch (type) {
    case DataType::kF32:
      std::memcpy(out, values, static_cast<size_t>(count) * sizeof(float));
      return;
    case DataType::kF16: return Convert16<FloatToHalf>(values, count, out);
    case DataType::kBF16: return Convert16<FloatToBrain>(values, count, out);
    default: break;
  }
  static constexpr auto kAlike = [] {
    std::array<float, kMostBlockValues> ones{};
    ones.fill(1.0f);
    return ones;
  }();
  const auto layout = LayoutOf(type);
  const BlockFunction function = FunctionOf(type);
  for (int64_t i = 0; i < count; i += layout.elements, out += layout.bytes) {
    function(values + i, importance.empty() ? kAlike.data() : importance.data() + i, out);
  }
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and above
  if (magnitude >= 0x38800000) {  // a normal half: 13 bits of the mantissa are rounded away
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
  }
  // Subnormal halves are multiples of 2^-24; adding 0.5 makes the addition round there.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
}

uint16_t FloatToBrain(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 64);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace portcullis::inference
