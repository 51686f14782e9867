// A compiled set of detectors: which of them are asked at which place of the text. This is the
// prefilter: a class per unit finds the places where anything can begin, a bitmap of the first two
// units of all literals dismisses nearly all word beginnings at once.
// Immutable after construction, so one set serves all threads.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "policy/classify/detector.h"

namespace portcullis::policy {

class DetectorSet {
 public:
  struct Literal {
    std::string_view text;
    const Detector* detector;
    size_t index;  // of `text` among the detector's literals
  };

  static constexpr size_t kMaxBehind = 80;  // units that a match may start before its trigger

  // The detectors must outlive the set. Two detectors may share a literal.
  explicit DetectorSet(std::span<const Detector* const> detectors);

  std::span<const Detector* const> detectors() const { return detectors_; }
  std::span<const Detector* const> On(Trigger trigger) const;
  // Nearly always false for ordinary text.
  bool MayStartLiteral(unsigned char first, unsigned char second) const {
    return pairs_[static_cast<size_t>(first) << 8 | second];
  }
  std::span<const Literal> LiteralsFrom(unsigned char first, unsigned char second) const;
  // The fewest digits that any detector of numbers wants.
  size_t min_digits() const { return min_digits_; }
  // Position in the table: the last tie-break between overlapping candidates.
  size_t RankOf(const Detector& detector) const;

 private:
  std::vector<const Detector*> detectors_;
  std::array<std::vector<const Detector*>, 6> by_trigger_;
  std::bitset<65536> pairs_;
  std::vector<Literal> literals_;  // sorted by text
  std::vector<uint16_t> first_;    // by pair: index + 1 of its first literal, 0 when none
  size_t min_digits_ = 0;
};

// All detectors that ship; built once.
const DetectorSet& BuiltinDetectors();

}  // namespace portcullis::policy
