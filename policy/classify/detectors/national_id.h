// What the detectors of national numbers share.
#pragma once

#include "policy/classify/detectors/checksum.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {

// The number at `at` may begin there and is not the tail of a longer dashed one.
inline bool StandsFree(const Window& window, size_t at) {
  return NumberMayStart(window, at) && !(window[at - 1] == '-' && IsWord(window[at - 2]));
}

// ... nor the head of one.
inline bool EndsFree(const Window& window, size_t end) {
  return WordEnds(window, end) && !(window[end] == '-' && IsWord(window[end + 1]));
}

// Sum of digit times weight.
inline int Weighted(const Number& number, std::initializer_list<int> weights) {
  int sum = 0;
  size_t i = 0;
  for (const int weight : weights) sum += number.digits[i++] * weight;
  return sum;
}

}  // namespace portcullis::policy
