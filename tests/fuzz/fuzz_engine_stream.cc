// What an engine sends: server-sent events to the chunks for a caller, and embeddings.
#include <cstdint>
#include <string_view>

#include "gateway/infer/embedding_answer.h"
#include "gateway/infer/sse_reader.h"
#include "gateway/respond/chat_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::gateway;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ChatCall call;
  call.choices = size % 2 == 0 ? 1 : 2;
  (void)ReadEmbeddings(bytes, call);
  SseReader reader;
  AnswerOptions options{"id", "m", 0, 2, true, true};
  options.text = size % 2 == 1;
  ChatAnswer answer(options, portcullis::policy::BuiltinDetectors(),
                    portcullis::policy::RedactionPolicy::All());
  if (!reader.Feed(bytes)) return 0;
  while (auto event = reader.Next()) {
    if (!event->empty() && !answer.Feed(*event)) return 0;
  }
  if (!answer.Finish()) return 0;
  (void)answer.Whole();
  (void)answer.Tail();
  return 0;
}
