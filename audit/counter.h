// A counter in hardware that cannot be set back, such as a TPM's NV counter (tpm_counter.h): with it a start
// notices that the whole machine, the signer's memory included, was put back to an earlier state. Who asks when,
// and what follows from the answers: counter_keeper.h. Calls may take long or never return: they come from one
// thread at a time, never from the writer's. COUNTER in FORMAT.md.
#pragma once

#include <cstdint>
#include <string>

#include "audit/error.h"
#include "audit/event.h"

namespace portcullis::audit {

class MonotonicCounter {
 public:
  enum class Found { kMissing, kOurs, kForeign };

  virtual ~MonotonicCounter() = default;
  // Is there one, and is it this log's?
  virtual Result<Found> Find() = 0;
  // Makes it, or ends what an earlier call began, so that it can be read; what is foreign in its place is removed.
  virtual Result<void> Create() = 0;
  virtual Result<uint64_t> Read() = 0;
  virtual Result<uint64_t> Increment() = 0;  // the value after it
  // Of the counter that Find or Create met.
  virtual Hash Name() const = 0;
  virtual std::string Words() const = 0;
};

// In the first half of the request id of a BOOT or HEARTBEAT: the counter was asked and did not answer.
inline constexpr uint64_t kCounterSilent = uint64_t{1} << 56;

// What is said where there is none.
inline constexpr const char* kNoCounterWords =
    "no hardware counter: a snapshot of the whole machine that is put back is seen by a witness only";

}  // namespace portcullis::audit
