// Rows of a revision store and statements of officers as a stranger could write them: whatever is
// accepted must come out as the same bytes, for a hash over them stands for their meaning.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/revise/content.h"
#include "policy/revise/event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace revise = portcullis::policy::revise;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto event = revise::DecodeEvent(bytes);
      event && revise::Encode(event.value()) != bytes) {
    std::abort();
  }
  if (const auto content = revise::DecodeContent(bytes);
      content && revise::Encode(content.value()) != bytes) {
    std::abort();
  }
  if (const auto said = revise::ParseStatement(bytes);
      said && revise::ToText(said.value()) != bytes) {
    std::abort();
  }
  return 0;
}
