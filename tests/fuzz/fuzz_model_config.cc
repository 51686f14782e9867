// config.json: a configuration that is accepted must give usable frequencies.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/model/config.h"
#include "inference/ops/rope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference;
  const auto config =
      ConfigFromJson(std::string_view(reinterpret_cast<const char*>(data), size), "input");
  if (!config) return 0;
  const Rope rope(config.value().rope, {});
  for (const float frequency : rope.frequencies()) {
    if (!std::isfinite(frequency)) std::abort();
  }
  if (!std::isfinite(config.value().softmax_scale)) std::abort();
  return 0;
}
