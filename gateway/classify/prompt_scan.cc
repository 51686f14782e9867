#include "gateway/classify/prompt_scan.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

#include "policy/revise/ladder.h"

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

// Shorter integers cannot be an identifier that any detector knows.
constexpr int64_t kLongInteger = 100'000'000;

// Whole numbers in any spelling: 4111111111111111, its negative, 4111111111111111.0, 4.1e15.
bool IsLongInteger(const json::value& value) {
  if (const auto* number = value.if_int64()) {
    return *number >= kLongInteger || *number <= -kLongInteger;
  }
  if (const auto* number = value.if_double()) {
    const double size = std::fabs(*number);
    return size >= static_cast<double>(kLongInteger) && size < 1.8e19 && std::trunc(size) == size;
  }
  return value.is_uint64();
}

// Without the sign.
std::string Digits(const json::value& value) {
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (value.is_double()) {
    return std::to_string(static_cast<uint64_t>(std::fabs(value.get_double())));
  }
  const std::string text = std::to_string(value.get_int64());
  return text.front() == '-' ? text.substr(1) : text;
}

void ScanText(std::string_view text, const policy::DetectorSet& detectors, ScanResult& result) {
  policy::Scanner scanner(detectors);
  scanner.Feed(text);
  scanner.Finish();
  for (const policy::Finding& finding : scanner.findings()) result.Add(finding);
  result.complete = result.complete && scanner.complete();
}

void Scan(const json::value& value, const policy::DetectorSet& detectors, ScanResult& result) {
  if (const auto* text = value.if_string()) {
    ScanText(*text, detectors, result);
  } else if (const auto* list = value.if_array()) {
    for (const auto& item : *list) Scan(item, detectors, result);
  } else if (const auto* map = value.if_object()) {
    for (const auto& [key, item] : *map) {
      ScanText(key, detectors, result);
      Scan(item, detectors, result);
    }
  } else if (IsLongInteger(value)) {
    ScanText(Digits(value), detectors, result);
  }
}

Result<std::string> RedactText(std::string_view text, const policy::DetectorSet& detectors) {
  policy::Redactor redactor(detectors, policy::RedactionPolicy::All());
  auto head = redactor.Feed(text);
  auto tail = redactor.Finish();
  if (!head || !tail || !redactor.complete()) {
    return Error{Code::kFilterFailed, "the content filter failed; nothing was forwarded"};
  }
  return head.value() + tail.value();
}

}  // namespace

void ScanResult::Add(const policy::Finding& finding) {
  classes.emplace(finding.data_class);
  ++kinds[std::string(finding.kind)];
  if (!finding.jurisdiction.empty()) {
    subject_jurisdictions.emplace(finding.jurisdiction);
    ++subjects;
  }
  top_severity = std::max(top_severity, finding.severity);
}

void ScanResult::MergeClasses(const ScanResult& other) {
  classes.insert(other.classes.begin(), other.classes.end());
  for (const auto& [kind, count] : other.kinds) kinds[kind] = std::max(kinds[kind], count);
  subject_jurisdictions.insert(other.subject_jurisdictions.begin(),
                               other.subject_jurisdictions.end());
  subjects = std::max(subjects, other.subjects);
  top_severity = std::max(top_severity, other.top_severity);
  complete = complete && other.complete;
}

std::set<std::string> ScanResult::Unredactable() const {
  std::set<std::string> left;
  const std::string irremovable(policy::revise::kIrremovableClass);
  if (classes.contains(irremovable)) left.insert(irremovable);
  return left;
}

ScanResult ScanStrings(const json::value& value, const policy::DetectorSet& detectors) {
  ScanResult result;
  Scan(value, detectors, result);
  return result;
}

Result<void> RedactStrings(json::value& value, const policy::DetectorSet& detectors) {
  if (const auto* text = value.if_string()) {
    BOOST_OUTCOME_TRY(auto masked, RedactText(*text, detectors));
    value = masked;
  } else if (auto* list = value.if_array()) {
    for (auto& item : *list) {
      BOOST_OUTCOME_TRY(RedactStrings(item, detectors));
    }
  } else if (auto* map = value.if_object()) {
    json::object masked;
    for (auto& [key, item] : *map) {
      BOOST_OUTCOME_TRY(auto name, RedactText(key, detectors));
      BOOST_OUTCOME_TRY(RedactStrings(item, detectors));
      masked[name] = std::move(item);
    }
    value = std::move(masked);
  } else if (IsLongInteger(value)) {
    const std::string digits = Digits(value);
    BOOST_OUTCOME_TRY(auto masked, RedactText(digits, detectors));
    if (masked != digits) value = masked;
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
