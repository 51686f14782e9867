// Keeps the signer's memory and the hardware counter in step, write-ahead: the memory says first, durably, which
// value comes next, then the counter is incremented; so a start accepts the value in memory or the one below.
// More: an old copy of the machine was put back. A step at each start, at each orderly end and each period, with
// a checkpoint's write of the memory. The counter is asked on a thread of its own, which may hang; nobody waits
// for it but a start and an end, and these not longer than the patience. Fails closed: a step that is overdue by a
// period refuses appends until it is done; a value that is not ours ends the log. COUNTER in FORMAT.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "audit/counter.h"
#include "audit/error.h"
#include "audit/event.h"
#include "audit/signer.h"

namespace portcullis::audit {

struct CounterOptions {
  std::shared_ptr<MonotonicCounter> counter;    // null: none
  bool create = false;                          // also for a log that has records already
  std::chrono::milliseconds period{3'600'000};  // between steps; and how long one may be overdue
  std::chrono::milliseconds patience{10'000};   // for an answer
  std::chrono::milliseconds retry{10'000};      // after a failed one
};

class CounterKeeper {
 public:
  // Compares the counter with the signer's memory; at a log's first start makes the counter. `overridden`: the log
  // follows one whose start was refused, whose counter is removed. Null where there is none and none is remembered.
  static Result<std::unique_ptr<CounterKeeper>> Meet(const CounterOptions& options, Signer& signer, bool overridden);
  ~CounterKeeper();  // leaves a thread that hangs behind
  CounterKeeper(const CounterKeeper&) = delete;
  CounterKeeper& operator=(const CounterKeeper&) = delete;

  // The step of a start, memory and counter, behind one that a cut left undone; returns when it is done.
  Result<void> Start(Signer& signer);
  // The value that the signer's memory must hold with its next write. `at_once`: a step is due now.
  uint64_t Wanted(bool at_once);
  // The memory holds `value` durably: the counter follows on its own thread.
  void Follow(uint64_t value);
  // Waits for that, not longer than the patience.
  void Finish();
  // What BOOT and HEARTBEAT say of the counter.
  void Mark(Event& event) const;
  // True while a step is on its way, so that the rest is to be looked at again soon.
  bool Waits() const;
  // Words when it has ceased to answer, or answers again, since the last call.
  std::optional<std::string> News();
  // Why appends are refused now. Any thread.
  std::optional<Error> Refusal() const;
  // The counter stands where this log did not put it.
  std::optional<Error> Moved() const;
  // What the signer's memory is to hold then: the last step of its own.
  CounterMemory Own() const;
  std::string Words() const;

 private:
  struct Shared;
  explicit CounterKeeper(const CounterOptions& options);

  std::shared_ptr<Shared> shared_;  // also the thread's
  std::thread thread_;
  bool told_ = true;                // that it answers
};

}  // namespace portcullis::audit
