// GGUF: parse, read every tensor's ends and the metadata that models and vocabularies use.
#include <cstdint>

#include "inference/model/config.h"
#include "inference/model/gguf.h"
#include "inference/ops/rope.h"

using portcullis::inference::ConfigFromGguf;
using portcullis::inference::Rope;
namespace gguf = portcullis::inference::gguf;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = gguf::File::Parse({reinterpret_cast<const std::byte*>(data), size});
  if (!parsed) return 0;
  const gguf::File& file = *parsed.value();
  unsigned sum = 0;
  for (const auto& tensor : file.tensors()) {
    if (tensor.bytes.empty()) continue;
    sum += static_cast<unsigned>(tensor.bytes.front()) + static_cast<unsigned>(tensor.bytes.back());
  }
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.scores",
                          "tokenizer.ggml.token_type", "general.architecture", "a"}) {
    sum += file.Has(key) ? 1 : 0;
    if (const auto value = file.Strings(key)) sum += static_cast<unsigned>(value.value().size());
    if (const auto value = file.Floats(key)) sum += static_cast<unsigned>(value.value().size());
    if (const auto value = file.Ints(key)) sum += static_cast<unsigned>(value.value().size());
    if (const auto value = file.String(key)) sum += static_cast<unsigned>(value.value().size());
    if (const auto value = file.Int(key)) sum += static_cast<unsigned>(value.value());
    if (const auto value = file.Bool(key)) sum += value.value() ? 1 : 0;
  }
  if (const auto config = ConfigFromGguf(file)) {
    sum += static_cast<unsigned>(Rope(config.value().rope, {}).pairs());
  }
  volatile unsigned keep = sum;
  static_cast<void>(keep);
  return 0;
}
