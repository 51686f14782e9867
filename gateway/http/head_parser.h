// The strict reader of request heads: the first code that sees hostile plaintext. It replaces
// Beast's parser, whose faults are listed in the tests: what RFC 9112 lets a server repair or
// guess (obs-fold, bare LF, repeated lengths, unknown codings) is refused instead, so that no two
// readers of the same bytes can disagree. Pure functions over a complete, bounded head.
// Threading: reentrant. Failure: kBadRequest, kHeaderTooLarge, kMethodNotAllowed,
// kUnsupportedMedia; the connection closes after any of them. Fuzzed by fuzz_http_head.
#pragma once

#include <cstddef>
#include <string_view>

#include "gateway/error.h"
#include "gateway/http/message.h"

namespace portcullis::gateway::http {

inline constexpr size_t kMaxHead = 8 * 1024;  // bytes, with the closing CRLFCRLF
inline constexpr size_t kMaxFields = 64;

// Scans for the end of a head as bytes arrive. Control bytes, bare CR and bare LF are refused as
// soon as they are seen, without waiting for the rest.
class HeadScanner {
 public:
  // `bytes` is everything received so far and only ever grows between calls. Returns the length
  // of the head including CRLFCRLF, or 0 when more bytes are needed.
  Result<size_t> Scan(std::string_view bytes);

 private:
  size_t seen_ = 0;
};

// `head` is exactly what HeadScanner delimited.
Result<RequestHead> ParseHead(std::string_view head);

}  // namespace portcullis::gateway::http
