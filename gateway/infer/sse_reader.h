// Server-sent events (WHATWG HTML, "event stream") as engines send them: bytes in, `data` payloads
// out. A comment comes out as an empty event: the engine's sign of life. Other fields are dropped.
// Bounded: an event above kMaxEvent is an error.
// Not thread-safe; no I/O.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/error.h"

namespace portcullis::gateway {

class SseReader {
 public:
  static constexpr size_t kMaxEvent = 1u << 20;  // bytes

  Result<void> Feed(std::string_view bytes);
  // The next complete event's data; nothing when more bytes are needed.
  std::optional<std::string> Next();

 private:
  Result<void> Line(std::string_view line);

  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
  std::deque<std::string> ready_;
};

}  // namespace portcullis::gateway
