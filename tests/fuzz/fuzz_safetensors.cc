// Safetensors headers: parse and read every tensor's ends.
#include <cstdint>

#include "inference/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = portcullis::inference::ParseSafetensors(
      {reinterpret_cast<const std::byte*>(data), size}, "input");
  if (!parsed) return 0;
  unsigned sum = 0;
  for (const auto& tensor : parsed.value()) {
    sum += static_cast<unsigned>(tensor.elements()) +
           static_cast<unsigned>(tensor.bytes.front()) + static_cast<unsigned>(tensor.bytes.back());
  }
  volatile unsigned keep = sum;
  static_cast<void>(keep);
  return 0;
}
