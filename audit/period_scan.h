// Reads the records of a period and not the rest of the log. The header of a segment says of which day its records
// are; those of the period's days are read, and on either side of them one more, as FORMAT.md lets a record be late
// by an hour. Of the others the header and the last batch are read, which are signed for each other and for the next
// segment's header, the newest for the log's checkpoint: what is left out is what the log's writer said is of another
// day, and a log that ends before its checkpoint is a fault. Runs of segments are scanned
// from where they begin (place.h). Where that is not possible (a header, segment's end, tile or checkpoint that is damaged or
// missing) the whole log is read, with a warning. A record may be sealed under a KEY record before the run that it is in:
// that is looked for on demand, where the tiles no longer serve from the log's first one on. Damage within the segments that are left out is the verifier's to find (verify.h).
// Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/note.h"
#include "audit/place.h"
#include "audit/scan.h"

namespace portcullis::audit {

class PeriodScan {
 public:
  // Wall clock, from begin up to, and without, end.
  PeriodScan(std::filesystem::path log_folder, VerifierKey key, uint64_t begin_us, uint64_t end_us);

  const std::string& warning() const { return warning_; }
  uint64_t bytes() const { return bytes_; }        // of the segments that are to be read
  uint64_t segments() const;
  // As ScanLog(): the records come in order, those of the period among them. Ends at the first fault.
  ScanResult Run(ScanOptions options, ScanVisitor& visitor);
  // To be called by the visitor: all KEY records that it has not seen from the segment of this one on.
  using OnKey = std::function<void(const Leaf& leaf, std::string_view payload)>;
  void FindKeys(uint64_t chain, const OnKey& found);

 private:
  struct Stretch {
    ScanStart start;
    uint64_t first_seq = 0;
    uint64_t end_segment = 0;
  };
  Result<void> Plan(uint64_t begin_us, uint64_t end_us);
  Result<bool> CheckEnds() const;
  Error EndsEarly(uint64_t size) const;
  void CheckEndOf(ScanResult& result) const;

  const std::filesystem::path log_folder_;
  const VerifierKey key_;
  Checkpoint head_;                   // empty where it cannot be read
  std::vector<SegmentPlace> places_;  // of all segments
  std::vector<Stretch> stretches_;
  bool whole_ = true;
  uint64_t bytes_ = 0;
  std::string warning_;
  uint64_t known_segment_ = 0, known_seq_ = 0;  // KEY records from there on were seen
};

}  // namespace portcullis::audit
