// Start here. Scanner finds sensitive data in one text stream: Feed it chunks as they come, Finish
// it, read the findings. Stages: normalizer (UTF-8 to units) -> prefilter (DetectorSet) ->
// detectors -> resolver (overlaps).
//
// Invariant: findings depend on the text alone, never on how it was cut into chunks. A detector's
// verdict that looked past the end of what has arrived is discarded and asked for again, so no
// detector can break this. A verdict may look at most kReach units ahead and kLookBehind back: that
// bounds both memory and what is held back (see kMaxHeldBytes).
//
// Not thread-safe; cheap to create. The DetectorSet must outlive the Scanner.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/classify/detector_set.h"
#include "policy/classify/finding.h"
#include "policy/classify/normalize.h"
#include "policy/classify/resolver.h"

namespace portcullis::policy {

class Scanner {
 public:
  // A block (a private key, an endless token) that has begun and not ended yet: everything from
  // `start` on belongs to it, `covered` bytes of the stream so far.
  struct OpenBlock {
    std::string_view data_class;
    std::string_view kind;
    uint64_t start = 0;
    uint64_t covered = 0;
  };

  static constexpr size_t kMaxFindings = 16384;
  // No byte is held back longer than until this many more have come: the reach, twice for a chain
  // of overlapping candidates, times the widest unit with the longest run of invisible characters.
  static constexpr uint64_t kMaxHeldBytes =
      (2 * Window::kReach + Window::kLookBehind) * (4 + 4 * Normalizer::kMaxInvisibleRun);

  // Which detectors may report; others are never asked. Default: all.
  using Filter = std::vector<std::string_view>;  // data classes

  explicit Scanner(const DetectorSet& detectors);
  Scanner(const DetectorSet& detectors, Filter classes);

  // Throws only std::bad_alloc. Text after Finish() is not looked at, and complete() turns false.
  void Feed(std::string_view chunk);
  void Finish();

  // Final findings so far: sorted by start, not overlapping; at most kMaxFindings are kept.
  std::span<const Finding> findings() const { return findings_; }
  // Those that became final in the latest Feed or Finish, all of them.
  std::span<const Finding> fresh() const { return fresh_; }
  // Bytes before this offset can no longer be touched by a finding that is not yet final.
  uint64_t settled() const;
  std::optional<OpenBlock> open() const;
  // False when something was not looked at or not listed: more than kMaxFindings findings, a run of
  // invisible characters too long to be seen through, text after the end.
  bool complete() const { return !overflow_ && !normalizer_.blinded(); }

 private:
  static constexpr float kUnfinishedBlock = 0.8f;  // confidence of a block without its end, times

  struct Block {
    BlockBody body;
    BlockState state;
    Finding finding;
  };
  struct Hit {
    Match match;
    const Detector* detector;
  };

  void Run(bool final);
  size_t NextStart() const;
  bool Probe(const Detector& detector, size_t at, size_t literal, bool final);
  bool ProbeEach(Trigger trigger, size_t at, size_t digits, bool final);
  bool ProbeAll(size_t at, bool final);
  void Accept();
  void ConsumeBlock();
  void CloseBlock();
  void Settle(bool final);
  void Trim();
  bool Wanted(std::string_view data_class) const;

  const DetectorSet& detectors_;
  Filter filter_;
  bool all_ = false;  // nothing is filtered out
  Normalizer normalizer_;
  std::string units_;  // normalised text from unit base_ on
  uint64_t base_ = 0;  // absolute index of units_[0]
  size_t pos_ = 0;     // next unit to look at, index into units_
  size_t floor_ = 0;   // detectors see nothing before this (end of the last block)
  Resolver resolver_;
  std::optional<Block> block_;
  std::vector<Hit> matches_;      // at the position being probed
  std::vector<Finding> decided_;  // final, not handed out yet
  uint64_t horizon_ = 0;          // no candidate to come starts before this offset
  std::vector<Finding> findings_;
  std::vector<Finding> fresh_;
  bool overflow_ = false;
  bool finished_ = false;
};

}  // namespace portcullis::policy
