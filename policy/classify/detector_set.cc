#include "policy/classify/detector_set.h"

#include <algorithm>
#include <bit>

namespace portcullis::policy {
namespace {

size_t Pair(unsigned char first, unsigned char second) {
  return static_cast<size_t>(first) << 8 | second;
}
size_t Pair(std::string_view text) {
  return Pair(static_cast<unsigned char>(text[0]), static_cast<unsigned char>(text[1]));
}

}  // namespace

DetectorSet::DetectorSet(std::span<const Detector* const> detectors)
    : detectors_(detectors.begin(), detectors.end()) {
  for (const Detector* detector : detectors_) {
    for (size_t bit = 0; bit < by_trigger_.size(); ++bit) {
      if (detector->triggers >> bit & 1) by_trigger_[bit].push_back(detector);
    }
    if (detector->triggers & kOnNumber) {
      const size_t wanted = detector->min_digits;
      min_digits_ = min_digits_ == 0 ? wanted : std::min(min_digits_, wanted);
    }
    for (size_t i = 0; i < detector->literals.size(); ++i) {
      const std::string_view text = detector->literals[i];
      literals_.push_back({text, detector, i});
      pairs_.set(Pair(text));
    }
  }
  std::stable_sort(
      literals_.begin(), literals_.end(),
      [](const Literal& left, const Literal& right) { return left.text < right.text; });
  first_.resize(pairs_.size());
  for (size_t i = literals_.size(); i-- > 0;) {
    first_[Pair(literals_[i].text)] = static_cast<uint16_t>(i + 1);
  }
}

std::span<const Detector* const> DetectorSet::On(Trigger trigger) const {
  return by_trigger_[static_cast<size_t>(std::countr_zero(static_cast<unsigned>(trigger)))];
}

std::span<const DetectorSet::Literal> DetectorSet::LiteralsFrom(unsigned char first,
                                                                unsigned char second) const {
  const size_t pair = Pair(first, second);
  if (first_[pair] == 0) return {};
  const size_t begin = first_[pair] - 1u;
  size_t end = begin;
  while (end < literals_.size() && Pair(literals_[end].text) == pair) ++end;
  return {literals_.data() + begin, end - begin};
}

size_t DetectorSet::RankOf(const Detector& detector) const {
  return static_cast<size_t>(std::find(detectors_.begin(), detectors_.end(), &detector) -
                             detectors_.begin());
}

}  // namespace portcullis::policy
