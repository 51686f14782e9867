#include "inference/schedule/speculation.h"

#include <algorithm>
#include <cmath>

namespace portcullis::inference {
namespace {
constexpr double kFade = 0.9;
constexpr double kCertain = 0.97;
constexpr size_t kShortest = 2, kLongest = 4;
constexpr size_t kReach = 32768;  // tokens looked back at
}  // namespace

void DraftRecord::Add(int64_t tried, int64_t accepted) {
  for (int64_t i = 0; i < tried; ++i) {
    tried_ = tried_ * kFade + 1;
    accepted_ = accepted_ * kFade + (i < accepted ? 1 : 0);
  }
}

// The i-th draft token is right with probability rate^i and then saves one stream's share of a
// step; it costs a row. Tokens are added while the one outweighs the other.
int64_t DraftRecord::Length(int64_t streams, const StepCost& cost, double draft_cost,
                            int64_t most) {
  const double share = cost.TokenStep(streams) / static_cast<double>(std::max<int64_t>(streams, 1));
  const double row = cost.TokenRow() + draft_cost;
  if (share <= 0) return std::min<int64_t>(1, most);
  const double right = std::clamp(rate(), 0.0, kCertain);
  double chance = right;
  int64_t length = 0;
  while (length < most && chance * share > row) {
    ++length;
    chance *= right;
  }
  if (length > 0) {
    skipped_ = 0;
    return length;
  }
  if (row >= share || ++skipped_ < kRetry) return 0;
  skipped_ = 0;
  return std::min<int64_t>(1, most);
}

std::vector<int32_t> LookUpDraft(std::span<const int32_t> tokens, int64_t count) {
  if (tokens.size() <= kShortest || count < 1) return {};
  if (tokens.size() > kReach) tokens = tokens.last(kReach);
  const size_t end = tokens.size();
  size_t best = 0, follow = 0;
  // `at`: one past an earlier place that ends like the text.
  for (size_t at = end - 1; at >= kShortest && best < kLongest; --at) {
    if (tokens[at - 1] != tokens[end - 1]) continue;
    size_t length = 1;
    while (length < kLongest && length < at &&
           tokens[at - 1 - length] == tokens[end - 1 - length]) {
      ++length;
    }
    if (length > best) {
      best = length;
      follow = at;
    }
  }
  if (best < kShortest) return {};
  const auto found = tokens.subspan(follow, std::min(static_cast<size_t>(count), end - follow));
  return {found.begin(), found.end()};
}

}  // namespace portcullis::inference
