// Frames of the audit socket from hostile bytes: both directions, in two chunkings that must agree.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/protocol.h"

namespace {

using portcullis::audit::FrameReader;

int CountRequests(std::string_view bytes, size_t chunk) {
  FrameReader reader;
  int count = 0;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    const std::string_view piece = bytes.substr(at, chunk);
    reader.Feed({piece.data(), piece.size()});
    for (;;) {
      auto next = reader.NextRequest();
      if (!next) return -1 - count;
      if (!next.value()) break;
      ++count;
      // What was accepted can be encoded again.
      if (const auto* append = std::get_if<portcullis::audit::Append>(&*next.value())) {
        if (!portcullis::audit::EncodeAppend(append->correlation, append->events)) std::abort();
      }
    }
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (CountRequests(bytes, size + 1) != CountRequests(bytes, 3)) std::abort();
  FrameReader replies;
  replies.Feed({bytes.data(), bytes.size()});
  for (;;) {
    auto next = replies.NextReply();
    if (!next || !next.value()) break;
  }
  return 0;
}
