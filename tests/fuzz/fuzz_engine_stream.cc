// What an engine sends, from bytes of server-sent events to the chunks for a caller.
#include <cstdint>
#include <string_view>

#include "gateway/infer/sse_reader.h"
#include "gateway/respond/chat_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::gateway;
  SseReader reader;
  AnswerOptions options{"id", "m", 0, 2, true, true};
  options.text = size % 2 == 1;
  ChatAnswer answer(options, portcullis::policy::BuiltinDetectors(),
                    portcullis::policy::RedactionPolicy::All());
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!reader.Feed(bytes)) return 0;
  while (auto event = reader.Next()) {
    if (!event->empty() && !answer.Feed(*event)) return 0;
  }
  if (!answer.Finish()) return 0;
  (void)answer.Whole();
  (void)answer.Tail();
  return 0;
}
