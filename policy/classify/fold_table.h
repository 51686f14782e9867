// Data of FoldCodePoint(); see fold_table.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace portcullis::policy {

struct FoldRange {
  char32_t first, last;
  char unit;  // of `first`
  int step;   // from one code point's unit to the next one's
};
struct CodeRange {
  char32_t first, last;
};

// Sorted, disjoint.
extern const std::string_view kFoldLatin;            // from U+00C0
extern const std::string_view kFoldLatinAdditional;  // from U+1E00
extern const FoldRange kFoldRanges[];
extern const size_t kFoldRangeCount;
extern const CodeRange kLetterRanges[];
extern const size_t kLetterRangeCount;
extern const CodeRange kInvisibleRanges[];
extern const size_t kInvisibleRangeCount;

}  // namespace portcullis::policy
