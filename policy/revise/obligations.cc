#include "policy/revise/obligations.h"

#include <algorithm>
#include <charconv>

namespace portcullis::policy::revise {
namespace {

std::optional<RecordLevel> ParseLog(std::string_view text) {
  if (text == "none") return RecordLevel::kNone;
  if (text == "metadata") return RecordLevel::kMetadata;
  if (text == "sealed") return RecordLevel::kSealed;
  return std::nullopt;
}

// P<number>D or P<number>W or P<number>Y, in days; a year is 365 days.
std::optional<uint32_t> ParseRetention(std::string_view text) {
  if (text.size() < 3 || text.front() != 'P') return std::nullopt;
  const uint32_t unit = text.back() == 'D'   ? 1
                        : text.back() == 'W' ? 7
                        : text.back() == 'Y' ? 365
                                             : 0;
  uint32_t count = 0;
  const char* const last = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data() + 1, last, count);
  if (unit == 0 || error != std::errc() || end != last || count == 0 || count > 100000 / unit) {
    return std::nullopt;
  }
  return count * unit;
}

// alert: and a name of small letters, digits and '-': what a rule of alerting can be called.
bool IsAlert(std::string_view text) {
  if (!text.starts_with("alert:") || text.size() == 6 || text.size() > 64) return false;
  return std::ranges::all_of(text.substr(6), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool IsName(std::string_view text) { return !text.empty() && text.size() <= 128; }

bool IsAdvice(std::string_view text) { return !text.empty() && text.size() <= 1024; }

void AddOnce(std::vector<std::string>& list, std::string_view text) {
  if (list.size() < 8 && std::find(list.begin(), list.end(), text) == list.end()) {
    list.emplace_back(text);
  }
}

}  // namespace

std::string_view ToString(RecordLevel level) {
  switch (level) {
    case RecordLevel::kNone:
      return "none";
    case RecordLevel::kMetadata:
      return "metadata";
    case RecordLevel::kSealed:
      return "sealed";
  }
  return "sealed";
}

Result<void> Obligations::Check(const Annotations& annotations) {
  for (const auto& [name, value] : annotations) {
    const bool known = (name == "id" && IsName(value)) || (name == "advice" && IsAdvice(value)) ||
                       (name == "log" && ParseLog(value)) ||
                       (name == "retention" && ParseRetention(value)) ||
                       (name == "obligation" && IsAlert(value));
    if (!known) {
      return Error{
          Code::kValidation,
          "annotation @" + name + "(\"" + value +
              "\") cannot be obeyed; known are @id, @advice, @log(\"none|metadata|sealed\"), "
              "@retention(\"P30D\") and @obligation(\"alert:NAME\")"};
    }
  }
  return boost::outcome_v2::success();
}

void Obligations::Merge(const Annotations& annotations) {
  for (const auto& [name, value] : annotations) {
    if (name == "log") {
      log = std::min(log, ParseLog(value).value_or(log));
    } else if (name == "retention") {
      const auto days = ParseRetention(value);
      if (days && (!retention_days || *days < *retention_days)) retention_days = days;
    } else if (name == "obligation") {
      AddOnce(alerts, std::string_view(value).substr(6));
    } else if (name == "advice") {
      AddOnce(advice, value);
    }
  }
}

}  // namespace portcullis::policy::revise
