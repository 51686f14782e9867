// Counts of calls refused before they had a record of their own: strangers, malformed requests,
// rate limits. Written to the audit log as one ABUSE record per interval, so that a flood of bad
// keys costs fixed memory and a fixed rate of records. Lock-free; any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "audit/event.h"
#include "gateway/error.h"

namespace portcullis::gateway {

class RefusalSummary {
 public:
  void Count(Code code, bool identified);
  // What was counted since the last call; nothing when that is nothing.
  std::optional<audit::Event> Take();

 private:
  static constexpr size_t kCodes = 64;
  std::array<std::atomic<uint64_t>, kCodes> strangers_{};
  std::array<std::atomic<uint64_t>, kCodes> identified_{};
};

}  // namespace portcullis::gateway
