#include "policy/treat/redact.h"

#include <algorithm>
#include <exception>

namespace portcullis::policy {

RedactionPolicy RedactionPolicy::All() {
  RedactionPolicy policy;
  policy.classes_.assign(std::begin(kDataClasses), std::end(kDataClasses));
  return policy;
}

Result<RedactionPolicy> RedactionPolicy::Of(const std::vector<std::string>& data_classes) {
  RedactionPolicy policy;
  for (const std::string& name : data_classes) {
    const auto* known = std::find(std::begin(kDataClasses), std::end(kDataClasses), name);
    if (known == std::end(kDataClasses)) {
      return Error{Code::kText, "redaction of unknown data class `" + name +
                                    "`, expected one of Contact, Financial, GovernmentId, Health, "
                                    "Secret, Classified, Network"};
    }
    policy.classes_.push_back(*known);
  }
  return policy;
}

Redactor::Redactor(const DetectorSet& detectors, const RedactionPolicy& policy)
    : scanner_(detectors, policy.classes()) {}

// Moves the bytes before `until` from what is held to the output, or away.
void Redactor::Pass(uint64_t until, std::string& out) {
  if (until > raw_base_) out.append(raw_, used_, static_cast<size_t>(until - raw_base_));
  Drop(until);
}

void Redactor::Drop(uint64_t until) {
  if (until <= raw_base_) return;
  used_ += static_cast<size_t>(until - raw_base_);
  raw_base_ = until;
}

void Redactor::Drain(std::string& out) {
  const auto mask = [&](uint64_t start, std::string_view kind) {
    Pass(start, out);
    if (!masked_open_) out.append("[redacted:").append(kind).append("]");
  };
  for (const Finding& finding : scanner_.fresh()) {
    mask(finding.start, finding.kind);
    masked_open_ = false;
    Drop(finding.end);
  }
  if (const auto open = scanner_.open()) {
    mask(open->start, open->kind);
    masked_open_ = true;
    Drop(open->covered);
  } else {
    Pass(scanner_.settled(), out);
  }
  raw_.erase(0, used_);
  used_ = 0;
}

template <class Step>
Result<std::string> Redactor::Guard(Step step) {
  if (failed_ || finished_) {
    return Error{Code::kText, failed_ ? "redaction failed earlier in this text"
                                      : "redaction of this text is finished"};
  }
  failed_ = true;  // until the step has gone well
  try {
    std::string out;
    step(out);
    failed_ = false;
    return out;
  } catch (const std::exception& e) {
    return Error{Code::kText, std::string("redaction failed, text withheld: ") + e.what()};
  }
}

Result<std::string> Redactor::Feed(std::string_view chunk) {
  return Guard([&](std::string& out) {
    raw_.append(chunk);
    scanner_.Feed(chunk);
    Drain(out);
  });
}

Result<std::string> Redactor::Finish() {
  return Guard([&](std::string& out) {
    scanner_.Finish();
    Drain(out);
    finished_ = true;
  });
}

Result<std::string> Redact(const DetectorSet& detectors, const RedactionPolicy& policy,
                           std::string_view text) {
  Redactor redactor(detectors, policy);
  BOOST_OUTCOME_TRY(std::string treated, redactor.Feed(text));
  BOOST_OUTCOME_TRY(const std::string rest, redactor.Finish());
  treated += rest;
  return treated;
}

}  // namespace portcullis::policy
