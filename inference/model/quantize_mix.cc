#include "inference/model/quantize_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace portcullis::inference {
namespace {

struct MixRow {
  std::string_view name;
  DataType main;
  DataType more;
  uint32_t file_type;  // ggml's numbers
};
constexpr std::array kMixes = {
    MixRow{"F32", DataType::kF32, DataType::kF32, 0},
    MixRow{"F16", DataType::kF16, DataType::kF16, 1},
    MixRow{"BF16", DataType::kBF16, DataType::kBF16, 32},
    MixRow{"Q8_0", DataType::kQ8_0, DataType::kQ8_0, 7},
    MixRow{"Q6_K", DataType::kQ6_K, DataType::kQ6_K, 18},
    MixRow{"Q5_K_M", DataType::kQ5_K, DataType::kQ6_K, 17},
    MixRow{"Q4_K_M", DataType::kQ4_K, DataType::kQ6_K, 15},
    MixRow{"Q4_0", DataType::kQ4_0, DataType::kQ4_0, 2},
};

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16;
}

// The layer of "blk.7.ffn_down.weight".
std::optional<int64_t> LayerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t layer = 0;
  const char* begin = name.data() + kPrefix.size();
  if (std::from_chars(begin, name.data() + name.size(), layer).ec != std::errc()) {
    return std::nullopt;
  }
  return layer;
}

bool GetsMoreBits(int64_t layer, int64_t layers) {
  const int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

bool StaysF32(std::string_view name, std::span<const int64_t> shape) {
  return shape.size() < 2 || name.ends_with("_norm.weight") || !name.ends_with(".weight") ||
         name.find("ffn_gate_inp") != std::string_view::npos;
}

DataType Fitting(DataType type, int64_t columns) {
  while (columns % LayoutOf(type).elements != 0) {
    switch (type) {
      // Q4_0 has as many bits but no offsets: it would lose more than Q4_K does.
      case DataType::kQ4_K: type = DataType::kQ5_0; break;
      case DataType::kQ5_K: case DataType::kQ6_K: type = DataType::kQ8_0; break;
      default: return DataType::kF16;
    }
  }
  return type;
}

}  // namespace

Result<QuantMix> QuantMix::Named(std::string_view name) {
  std::string wanted(name);
  std::ranges::transform(wanted, wanted.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (wanted == "Q4_K" || wanted == "Q5_K") wanted += "_M";
  const auto row = std::ranges::find(kMixes, wanted, &MixRow::name);
  if (row == kMixes.end()) {
    return Error{Code::kInvalidArgument, "`" + std::string(name.substr(0, 40)) +
                                             "` is no type this engine writes; " + Names() +
                                             " are"};
  }
  return QuantMix(row->name, row->main, row->more, row->file_type);
}

std::string QuantMix::Names() {
  std::string names;
  for (const auto& row : kMixes) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

DataType QuantMix::TypeFor(std::string_view name, std::span<const int64_t> shape, int64_t layers,
                           bool tied) const {
  if (StaysF32(name, shape)) return DataType::kF32;
  const int64_t columns = shape.back();
  if (IsFloat(main_) || main_ == DataType::kQ8_0) return Fitting(main_, columns);
  if (name == "output.weight" || (tied && name == "token_embd.weight")) {
    return Fitting(DataType::kQ6_K, columns);
  }
  const auto layer = LayerOf(name);
  const bool sensitive = name.find("attn_v.") != std::string_view::npos ||
                         name.find("attn_v_b.") != std::string_view::npos ||
                         name.find("ffn_down") != std::string_view::npos;
  if (layer && sensitive && GetsMoreBits(*layer, layers)) return Fitting(more_, columns);
  return Fitting(main_, columns);
}

}  // namespace portcullis::inference
