// One compiled regular expression of a tokenizer: PCRE2 in UTF mode with Unicode properties, by JIT
// where the system lets us map executable pages, else by the interpreter. Written for Oniguruma's
// dialect, in which tokenizer.json files are: \s and \S mean Unicode White_Space here as there.
// Immutable after Compile; Find may be called from many threads. Matching effort is bounded.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "inference/error.h"

namespace portcullis::inference {

class Regex {
 public:
  struct Span {
    size_t begin = 0;
    size_t end = 0;
  };
  // Reused by the caller over many Find calls; not to be shared between threads.
  class Scratch;

  static Result<Regex> Compile(std::string_view pattern);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // The first match at or after `from`. `text` must be valid UTF-8.
  Result<std::optional<Span>> Find(std::string_view text, size_t from, Scratch& scratch) const;

  bool uses_jit() const;

 private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> code);
  std::unique_ptr<Compiled> code_;
};

class Regex::Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  friend class Regex;
  struct Data;
  std::unique_ptr<Data> data_;
};

// Rewrites the places where PCRE2 reads an Oniguruma pattern differently. Exposed for its test.
std::string FromOniguruma(std::string_view pattern);

}  // namespace portcullis::inference
