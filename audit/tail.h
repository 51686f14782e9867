// The end of a log, and what comes: the last records first, then with each call those that were written since.
// Reads from the newest segments only (place.h), so that start and memory do not depend on how large the log
// is; every record is checked as by a scan, under the signed checkpoint as far as that reaches. Where the tiles
// do not allow it the whole log is read once, with a warning. Goes on over new segments, and over segments
// that an erasure rewrote. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/query.h"
#include "audit/scan.h"

namespace portcullis::audit {

class TailReader {
 public:
  TailReader(std::filesystem::path log_folder, VerifierKey key) : log_folder_(std::move(log_folder)), key_(std::move(key)) {}

  // The last `lines` records. Returns a warning, or nothing.
  Result<std::string> Begin(uint64_t lines, const OnFound& found);
  // What is new since. A record that is being written now comes with the next call.
  Result<void> Next(const OnFound& found);
  // The segment with which the present scan began.
  uint64_t first_segment() const { return first_segment_; }

 private:
  class Visitor;
  Result<void> Scan(const std::optional<ScanStart>& start, const Checkpoint* head, const OnFound& found);

  const std::filesystem::path log_folder_;
  const VerifierKey key_;
  uint64_t next_ = 0;             // the first seq that was not handed on
  uint64_t first_segment_ = 0;
  std::optional<ScanStart> end_;  // of the last good batch
};

}  // namespace portcullis::audit
