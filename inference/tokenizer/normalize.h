// Text normalisation before tokenisation, as tokenizer.json describes it: Unicode forms by ICU,
// a prefix, replacements. Immutable after building, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/regex.h"

namespace portcullis::inference {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

class Normalizer {
 public:
  void AddForm(UnicodeForm form);
  // Not before text that has it already, where `unless_there`; only at the start of the whole text,
  // not after a control token, where `first_only`.
  void AddPrefix(std::string prefix, bool unless_there, bool first_only);
  void AddReplace(std::string from, std::string to);
  Result<void> AddReplacePattern(std::string_view pattern, std::string to);
  bool empty() const { return steps_.empty(); }

  // `text` must be valid UTF-8; so is what it becomes. `first`: nothing stands before it.
  Result<std::string> Run(std::string text, bool first) const;

 private:
  struct Step {
    enum class Kind { kForm, kPrefix, kReplace, kPattern } kind = Kind::kForm;
    UnicodeForm form = UnicodeForm::kNfc;
    std::string from, to;
    std::vector<Regex> pattern;  // at most one
    bool unless_there = false;
    bool first_only = false;
  };
  std::vector<Step> steps_;
};

}  // namespace portcullis::inference
