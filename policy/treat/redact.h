// Streaming redaction: text in, treated text out. What a finding covers is replaced by
// "[redacted:KIND]", irreversibly. The output is the same however the text is cut into chunks; no
// more is held back than Scanner::kMaxHeldBytes, and a private key is swallowed as it streams.
//
// Failure: an error or exception withholds. A failed Redactor gives nothing more but errors, so
// text that could not be looked at never passes. Not thread-safe; one per text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/classify/scanner.h"
#include "policy/error.h"

namespace portcullis::policy {

// Which data classes are masked.
class RedactionPolicy {
 public:
  static RedactionPolicy All();
  // An unknown class is an error: a policy that means nothing must not silently pass text.
  static Result<RedactionPolicy> Of(const std::vector<std::string>& data_classes);

  const Scanner::Filter& classes() const { return classes_; }

 private:
  Scanner::Filter classes_;
};

class Redactor {
 public:
  // `detectors` must outlive the Redactor.
  Redactor(const DetectorSet& detectors, const RedactionPolicy& policy);

  // Treated text that is ready. Result<std::string>; an error withholds everything from here on.
  Result<std::string> Feed(std::string_view chunk);
  Result<std::string> Finish();

  // What was masked so far. Classes that the policy leaves alone are not listed.
  std::span<const Finding> findings() const { return scanner_.findings(); }
  bool complete() const { return scanner_.complete(); }
  uint64_t held_bytes() const { return raw_.size(); }

 private:
  template <class Step>
  Result<std::string> Guard(Step step);
  void Drain(std::string& out);
  void Pass(uint64_t until, std::string& out);
  void Drop(uint64_t until);

  Scanner scanner_;
  std::string raw_;  // original bytes that are not treated yet, from used_ on
  size_t used_ = 0;
  uint64_t raw_base_ = 0;     // offset in the stream of raw_[used_]
  bool masked_open_ = false;  // the open block's mask is written already
  bool failed_ = false;
  bool finished_ = false;
};

// The whole of a text at once.
Result<std::string> Redact(const DetectorSet& detectors, const RedactionPolicy& policy,
                           std::string_view text);

}  // namespace portcullis::policy
