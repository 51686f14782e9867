// model.safetensors.index.json: what is accepted names plain files of the model's own folder.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto index = portcullis::inference::ParseShardIndex(text, "input");
  if (!index) return 0;
  if (index.value().empty()) std::abort();
  for (const auto& [file, tensors] : index.value()) {
    const bool plain = !file.empty() && file.front() != '.' && file.find('/') == file.npos &&
                       file.find('\0') == file.npos;
    if (!plain || tensors.empty()) std::abort();
  }
  return 0;
}
