// Chat templates of model files: whatever the bytes, parsing and running end, in bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/tokenizer/jinja/evaluate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference::jinja;
  if (size > 4'000) return 0;
  const auto program = Parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!program) return 0;
  Dict message;
  message.Set(Text("role", false), Value::Of(Text("user", false)));
  message.Set(Text("content", false), Value::Of(Text("hello world", true)));
  Dict variables;
  variables.Set(Text("messages", false), Value::Of(List{Value::Of(std::move(message))}));
  variables.Set(Text("add_generation_prompt", false), Value::Of(true));
  const auto text = Run(*program.value(), variables, 0);
  if (text && text.value().bytes.size() != text.value().marks.size()) __builtin_trap();
  return 0;
}
