// A state machine of eight states; data bytes are copied in runs, framing bytes one at a time.
#include "gateway/http/chunked.h"

#include <algorithm>

namespace portcullis::gateway::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error Bad(const char* message) { return Error{Code::kBadRequest, message}; }

}  // namespace

Result<size_t> ChunkedDecoder::Feed(std::string_view in, std::string& out) {
  constexpr int kMaxDigits = 8;
  size_t used = 0;
  while (used < in.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const size_t run = static_cast<size_t>(std::min<uint64_t>(left_, in.size() - used));
      out.append(in.substr(used, run));
      used += run;
      left_ -= run;
      if (left_ == 0) state_ = State::kDataCr;
      continue;
    }
    const char c = in[used++];
    switch (state_) {
      case State::kSize:
        if (const int digit = HexValue(c); digit >= 0) {
          if (++digits_ > kMaxDigits) return Bad("chunk size has more than 8 digits");
          left_ = left_ * 16 + static_cast<uint64_t>(digit);
        } else if (c == '\r' && digits_ > 0) {
          state_ = State::kSizeLf;
        } else {
          return Bad(c == ';' ? "chunk extensions are refused" : "chunk size is not hexadecimal");
        }
        break;
      case State::kSizeLf:
        if (c != '\n') return Bad("bare CR after a chunk size");
        if (left_ > limit_ - total_) {
          return Error{Code::kTooLarge,
                       "body exceeds " + std::to_string(limit_) + " bytes: send less"};
        }
        total_ += left_;
        digits_ = 0;
        state_ = left_ == 0 ? State::kEndCr : State::kData;
        break;
      case State::kDataCr:
        if (c != '\r') return Bad("chunk data is longer than its size");
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return Bad("bare CR after chunk data");
        state_ = State::kSize;
        break;
      case State::kEndCr:
        if (c != '\r') return Bad("trailer fields are refused");
        state_ = State::kEndLf;
        break;
      case State::kEndLf:
        if (c != '\n') return Bad("bare CR after the last chunk");
        state_ = State::kDone;
        break;
      case State::kData:
      case State::kDone:
        break;
    }
  }
  return used;
}

}  // namespace portcullis::gateway::http
