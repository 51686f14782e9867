// Serialises response heads. Framing fields are written here and nowhere else, so a response can
// neither be split nor be framed twice: CR, LF or NUL in a value, or a framing field given by the
// caller, is kInternal. RFC 9112. Threading: reentrant (the Date text is cached per thread).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/http/message.h"

namespace portcullis::gateway::http {

enum class Framing {
  kNone,     // 1xx, 204, 304: no body and no length
  kLength,   // content-length
  kChunked,  // transfer-encoding: chunked
  kClose,    // ended by the end of the connection (streams to HTTP/1.0 clients)
};

struct ResponseFraming {
  Framing framing = Framing::kLength;
  uint64_t length = 0;
  bool close = false;  // connection: close
};

Result<std::string> WriteHead(const ResponseHead& head, const ResponseFraming& framing);
// Appends `bytes` as one chunk.
void AppendChunk(std::string_view bytes, std::string& out);
std::string_view ReasonPhrase(int status);

}  // namespace portcullis::gateway::http
