// Pre-tokenisation: cuts normalised text into the pieces inside which byte-pair merges may happen.
// Every pre-tokenizer that tokenizer.json knows and the supported families use is reduced to a
// sequence of regular-expression splits, plus two flags (a space put in front; spaces written as
// U+2581). Pieces are views of the caller's text, in order. Immutable after building, thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/regex.h"

namespace portcullis::inference {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

class Pretokenizer {
 public:
  struct Split {
    Regex regex;
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;  // the matches are the pieces, what lies between is the separator
  };

  void Add(Split split) { splits_.push_back(std::move(split)); }
  Result<void> AddPattern(std::string_view pattern, SplitBehavior behavior, bool invert = false);

  // Replaces `pieces` by the pieces of `text`. `text` must be valid UTF-8 and outlive the pieces.
  Result<void> Run(std::string_view text, Regex::Scratch& scratch,
                   std::vector<std::string_view>& pieces) const;

  bool add_prefix_space = false;  // ByteLevel: text that does not start with a space gets one

 private:
  std::vector<Split> splits_;
};

// The splits that GGUF files mean by their `tokenizer.ggml.pre` name.
Result<Pretokenizer> PretokenizerByName(std::string_view name);

// The name of a sequence of isolated splits, after text that is put into composed form (NFC) or is
// left as it is; none where GGUF has no name for them.
std::optional<std::string_view> PretokenizerName(std::span<const std::string_view> patterns,
                                                 bool composes);

}  // namespace portcullis::inference
