// The content filter on one stream of model output (a choice's answer, its reasoning, one tool
// call's arguments): text in pieces in, text that may leave out. Holds back what could still become
// a finding. A filter that fails withholds everything from then on. Not thread-safe; no I/O.
#pragma once

#include <string>
#include <string_view>

#include "gateway/classify/prompt_scan.h"
#include "gateway/error.h"
#include "policy/treat/redact.h"

namespace portcullis::gateway {

class OutputFilter {
 public:
  OutputFilter(const policy::DetectorSet& detectors, const policy::RedactionPolicy& policy)
      : redactor_(detectors, policy) {}

  Result<std::string> Feed(std::string_view text);
  Result<std::string> Finish();
  // What was found so far, masked or not.
  void AddTo(ScanResult& result) const;
  bool found_anything() const { return !redactor_.findings().empty(); }

 private:
  Result<std::string> Check(policy::Result<std::string> result);

  policy::Redactor redactor_;
  bool failed_ = false;
};

}  // namespace portcullis::gateway
