// generation_config.json: sampling that is accepted lies within what the sampler takes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/sample/defaults.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto options = portcullis::inference::ParseSamplingDefaults(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (!options) return 0;
  const auto& o = options.value();
  const auto within = [](float value, float low, float high) {
    return value >= low && value <= high;
  };
  if (!within(o.temperature, 0, 2) || !within(o.top_p, 0, 1) || !within(o.min_p, 0, 1) ||
      !within(o.repetition_penalty, 0.1f, 10) || o.top_k < 0 || o.top_k > 1'000'000) {
    std::abort();
  }
  return 0;
}
