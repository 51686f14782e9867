// Strict decoder of the chunked transfer coding (RFC 9112 §7.1): 1-8 hexadecimal digits, CRLF,
// data, CRLF; no chunk extensions, no trailer fields. Bounded: holds no bytes of its own.
// Threading: one decoder per message. Failure: kBadRequest (framing), kTooLarge (over the limit);
// after a failure the decoder and its connection are spent. Fuzzed by fuzz_chunked_body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/error.h"

namespace portcullis::gateway::http {

class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(size_t limit) : limit_(limit) {}

  // Appends decoded bytes to `out` and returns how many bytes of `in` were used: all of them,
  // unless the message ended inside `in`.
  Result<size_t> Feed(std::string_view in, std::string& out);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kSizeLf, kData, kDataCr, kDataLf, kEndCr, kEndLf, kDone };

  size_t limit_;
  size_t total_ = 0;
  uint64_t left_ = 0;
  int digits_ = 0;
  State state_ = State::kSize;
};

}  // namespace portcullis::gateway::http
