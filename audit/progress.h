// Progress of long work, for a person who waits: one line on standard error with share, rate and the
// time that is left, at most ten times a second, and only where standard error is a terminal. Scripts
// and logs never see it. Update may be called from one thread at a time; failure is not possible.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace portcullis::audit {

class Progress {
 public:
  // `total` of the work, in the unit of Update's `done`; 0: not known, then rate and time only. `things` are counted.
  Progress(std::string what, uint64_t total, std::string things = "records")
      : what_(std::move(what)), things_(std::move(things)), total_(total), shown_(OnTerminal()), begin_(Steady::now()) {}
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t done, uint64_t count);
  // Takes the line off the terminal again.
  void Finish();
  // For who reports by a function; empty where nothing is shown. The progress must outlive it.
  std::function<void(uint64_t done, uint64_t count)> Sink();

  static bool OnTerminal();

 private:
  using Steady = std::chrono::steady_clock;

  const std::string what_, things_;
  const uint64_t total_;
  const bool shown_;
  const Steady::time_point begin_;
  Steady::time_point next_{};
  bool drawn_ = false;
};

// "verify  42 % [########............] 1234567 records, 612000/s, 0:07 left"
std::string ProgressLine(std::string_view what, uint64_t done, uint64_t total, std::string_view things, uint64_t count,
                         double seconds);

}  // namespace portcullis::audit
