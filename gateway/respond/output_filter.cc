#include "gateway/respond/output_filter.h"

namespace portcullis::gateway {

Result<std::string> OutputFilter::Check(policy::Result<std::string> result) {
  // What the scanner could not look at must not pass either.
  if (failed_ || !result || !redactor_.complete()) {
    failed_ = true;
    return Error{Code::kFilterFailed, "the content filter failed; the rest of the answer is withheld"};
  }
  return std::move(result.value());
}

Result<std::string> OutputFilter::Feed(std::string_view text) { return Check(redactor_.Feed(text)); }

Result<std::string> OutputFilter::Finish() { return Check(redactor_.Finish()); }

void OutputFilter::AddTo(ScanResult& result) const {
  for (const policy::Finding& finding : redactor_.findings()) result.Add(finding);
}

}  // namespace portcullis::gateway
