// Lines of the batch commands, and with them requests in JSON: every line gets one answer of one
// line, which is JSON.
#include <cstdint>
#include <string_view>

#include "policy/cedar/batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cedar = portcullis::policy::cedar;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  cedar::Batch batch;
  for (const auto question : {&cedar::Batch::Authorize, &cedar::Batch::Validate,
                              &cedar::Batch::Convert, &cedar::Batch::Format}) {
    const cedar::Batch::Answer answer = (batch.*question)(line);
    if (answer.json.find('\n') != std::string::npos) __builtin_trap();
    const auto json = cedar::ParseJson(answer.json, "answer");
    if (!json && json.error().code != portcullis::policy::Code::kTooDeep) __builtin_trap();
    if (!answer.answered && answer.yes) __builtin_trap();
  }
  return 0;
}
