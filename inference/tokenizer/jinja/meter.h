// What one rendering may cost: steps of the interpreter, to which reading and writing of text
// counts too, and bytes made, whether still alive or not. Whoever does work that grows with its
// input asks here first, so that a template's time and memory are bounded by counts alone.
// One rendering, one thread. Failure: kBadTemplate with the line that was run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/error.h"

namespace portcullis::inference::jinja {

Error BadTemplate(uint32_t line, const std::string& what);

class Meter {
 public:
  static constexpr uint64_t kMaxSteps = 5'000'000;
  static constexpr uint64_t kMaxBytes = 128 * 1024 * 1024;
  static constexpr uint64_t kBytesPerStep = 64;

  Result<void> Steps(uint64_t count) {
    if (count > kMaxSteps - steps_) {
      steps_ = kMaxSteps;
      return BadTemplate(line_, "it takes too many steps");
    }
    steps_ += count;
    return boost::outcome_v2::success();
  }
  Result<void> Read(size_t bytes) { return Steps(bytes / kBytesPerStep); }
  Result<void> Make(size_t bytes) {
    if (bytes > kMaxBytes - bytes_) {
      bytes_ = kMaxBytes;
      return BadTemplate(line_, "it makes more than 128 MiB of values");
    }
    bytes_ += bytes;
    return Read(bytes);
  }
  // Each byte of a text has a mark beside it.
  Result<void> MakeText(size_t bytes) { return Make(2 * bytes); }

  void set_line(uint32_t line) { line_ = line; }
  uint64_t steps() const { return steps_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t steps_ = 0;
  uint64_t bytes_ = 0;
  uint32_t line_ = 0;
};

}  // namespace portcullis::inference::jinja
