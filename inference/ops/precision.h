// How exactly linear layers compute.
#pragma once

#include <cstdint>

namespace portcullis::inference {

enum class Precision : uint8_t {
  kExact,  // f32 inputs times the file's weights, summed in f32
  kFast,   // inputs rounded as well as the weights deserve; see FORMAT.md
};

}  // namespace portcullis::inference
