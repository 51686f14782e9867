// What the connection layer counts for metrics and for siege mode. Relaxed atomics, monotonic
// except `open`. Threading: written by all cores, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace portcullis::gateway {

struct Counters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> refused_total{0};      // over Limits::connections
  std::atomic<uint64_t> refused_address{0};    // over Limits::per_address
  std::atomic<uint64_t> accept_errors{0};      // EMFILE and its like; each cost a back-off
  std::atomic<uint64_t> handshakes_failed{0};  // bad hello, bad certificate, too slow
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> malformed{0};          // heads handed to the walk as an Error
  std::atomic<uint64_t> timeouts{0};           // head, body, write or idle deadline passed
  std::atomic<uint64_t> peer_gone{0};          // client left before its response was complete
  std::atomic<uint64_t> exceptions{0};         // handlers that threw: a bug each
  std::atomic<int64_t> open{0};                // connections now
};

}  // namespace portcullis::gateway
