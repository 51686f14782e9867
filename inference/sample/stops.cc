#include "inference/sample/stops.h"

#include <algorithm>
#include <utility>

namespace portcullis::inference {

size_t OverlapAtEnd(std::string_view text, std::string_view word) {
  if (word.empty()) return 0;
  for (size_t n = std::min(text.size(), word.size() - 1); n > 0; --n) {
    if (text.ends_with(word.substr(0, n))) return n;
  }
  return 0;
}

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, std::string());
}

std::string StopStrings::Push(std::string_view text) {
  if (stopped_) return {};
  held_.append(text);
  size_t first = std::string::npos;
  size_t overlap = 0;
  for (const std::string& stop : stops_) {
    first = std::min(first, held_.find(stop));
    overlap = std::max(overlap, OverlapAtEnd(held_, stop));
  }
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first);
    return std::exchange(held_, {});
  }
  std::string shown = held_.substr(0, held_.size() - overlap);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::Finish() { return stopped_ ? std::string() : std::exchange(held_, {}); }

}  // namespace portcullis::inference
