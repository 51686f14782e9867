// A counter that cannot be set back, such as a TPM's NV counter: with it a start notices that the whole
// machine, the signer's memory included, was put back to an earlier state. The appliance has no TPM code
// of its own; whoever brings a counter implements these three functions. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "audit/error.h"

namespace portcullis::audit {

class MonotonicCounter {
 public:
  virtual ~MonotonicCounter() = default;
  virtual Result<uint64_t> Read() = 0;
  virtual Result<void> Increment() = 0;
  virtual std::string Name() const = 0;
};

// What is said where there is none.
inline constexpr const char* kNoCounterWords =
    "no hardware counter: a snapshot of the whole machine that is put back is seen by a witness only";

}  // namespace portcullis::audit
