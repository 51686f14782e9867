// FoldCodePoint(): the normalisation of one code point, by binary search in the tables.
#include <algorithm>
#include <array>

#include "policy/classify/fold_table.h"
#include "policy/classify/normalize.h"

namespace portcullis::policy {
namespace {

template <class Range>
const Range* Find(const Range* ranges, size_t count, char32_t code_point) {
  const Range* end = ranges + count;
  const Range* found = std::lower_bound(
      ranges, end, code_point, [](const Range& range, char32_t c) { return range.last < c; });
  return found != end && found->first <= code_point ? found : nullptr;
}

char FromLatin(std::string_view table, char32_t index) {
  const char unit = table[index];
  if (unit == '~') return Normalizer::kLetter;
  return unit == '!' ? Normalizer::kOther : unit;
}

constexpr char32_t kDirect = 0x800;  // below: one look-up

char Search(char32_t code_point) {
  if (code_point < 0x80) return static_cast<char>(code_point);
  if (code_point >= 0x3400 && code_point < 0xA000) return Normalizer::kOther;  // ideographs
  if (code_point >= 0xC0 && code_point - 0xC0 < kFoldLatin.size()) {
    return FromLatin(kFoldLatin, code_point - 0xC0);
  }
  if (code_point >= 0x1E00 && code_point - 0x1E00 < kFoldLatinAdditional.size()) {
    return FromLatin(kFoldLatinAdditional, code_point - 0x1E00);
  }
  if (const FoldRange* fold = Find(kFoldRanges, kFoldRangeCount, code_point)) {
    const int distance = static_cast<int>(code_point - fold->first);
    return static_cast<char>(fold->unit + fold->step * distance);
  }
  if (Find(kInvisibleRanges, kInvisibleRangeCount, code_point)) return 0;
  if (Find(kLetterRanges, kLetterRangeCount, code_point)) return Normalizer::kLetter;
  return Normalizer::kOther;
}

}  // namespace

char FoldCodePoint(char32_t code_point) {
  static const std::array<char, kDirect> kTable = [] {
    std::array<char, kDirect> table{};
    for (char32_t c = 0; c < kDirect; ++c) table[c] = Search(c);
    return table;
  }();
  return code_point < kDirect ? kTable[code_point] : Search(code_point);
}

}  // namespace portcullis::policy
