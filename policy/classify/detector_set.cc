#include "policy/classify/detector_set.h"

#include <algorithm>
#include <bit>

namespace portcullis::policy {

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
      pairs_.set(static_cast<size_t>(static_cast<unsigned char>(text[0])) << 8 |
                 static_cast<unsigned char>(text[1]));
    }
  }
  std::stable_sort(literals_.begin(), literals_.end(),
                   [](const Literal& left, const Literal& right) { return left.text < right.text; });
}

std::span<const Detector* const> DetectorSet::On(Trigger trigger) const {
  return by_trigger_[static_cast<size_t>(std::countr_zero(static_cast<unsigned>(trigger)))];
}

std::span<const DetectorSet::Literal> DetectorSet::LiteralsFrom(unsigned char first,
                                                                unsigned char second) const {
  const char pair[2] = {static_cast<char>(first), static_cast<char>(second)};
  const std::string_view wanted(pair, 2);
  const auto low = std::partition_point(literals_.begin(), literals_.end(), [&](const Literal& l) {
    return l.text.substr(0, 2) < wanted;
  });
  const auto high = std::partition_point(
      low, literals_.end(), [&](const Literal& l) { return l.text.substr(0, 2) == wanted; });
  return {low, high};
}

size_t DetectorSet::RankOf(const Detector& detector) const {
  return static_cast<size_t>(std::find(detectors_.begin(), detectors_.end(), &detector) -
                             detectors_.begin());
}

}  // namespace portcullis::policy
