#include "audit/auditors.h"

#include <algorithm>
#include <cstring>

#include "audit/file.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxText = 64 << 10;
constexpr size_t kMaxAuditorName = 64;

Error Bad(const std::string& why) { return Error{Code::kBadFormat, "auditors: " + why}; }

std::string_view TakeWord(std::string_view& line) {
  const size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

bool ValidAuditorName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxAuditorName &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127 && c != '+'; });
}

Result<Auditor> ParseAuditor(std::string_view rest) {
  Auditor auditor;
  auditor.name = TakeWord(rest);
  auditor.jurisdiction = TakeWord(rest);
  if (!ValidAuditorName(auditor.name)) return Bad("a name must be 1 to 64 printable characters");
  if (auditor.jurisdiction != "*" && !ValidJurisdiction(auditor.jurisdiction)) {
    return Bad("the jurisdiction of `" + auditor.name + "` must be `*` or a code like `DE`");
  }
  const auto raw = FromBase64(rest, 64);
  if (!raw || raw.value().size() != auditor.key.size()) {
    return Bad("the key of `" + auditor.name + "` is not a base64 X25519 public key");
  }
  std::memcpy(auditor.key.data(), raw.value().data(), auditor.key.size());
  return auditor;
}

Result<void> Check(const AuditorPolicy& policy) {
  if (policy.auditors.empty()) return Bad("nobody is named; a log without auditors could never be read");
  if (policy.auditors.size() > kMaxAuditors) return Bad("more than 16 are named");
  for (size_t i = 0; i < policy.auditors.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (policy.auditors[i].key == policy.auditors[j].key &&
          policy.auditors[i].jurisdiction == policy.auditors[j].jurisdiction) {
        return Bad("`" + policy.auditors[j].name + "` and `" + policy.auditors[i].name + "` have one key");
      }
    }
  }
  if (policy.For("").auditors.empty()) {
    return Bad("no auditor for `*`: records without a jurisdiction could never be read");
  }
  for (const std::string& jurisdiction : policy.two_person) {
    const size_t count = policy.For(jurisdiction == "*" ? "" : jurisdiction).auditors.size();
    if (count < 2 || count > kMaxTwoPerson) {
      return Bad("two-person `" + jurisdiction + "` needs 2 to 5 auditors, there are " + std::to_string(count));
    }
  }
  return Ok();
}

}  // namespace

bool ValidJurisdiction(std::string_view text) {
  return !text.empty() && text.size() <= kMaxJurisdiction &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
         });
}

SealTo AuditorPolicy::For(std::string_view jurisdiction) const {
  SealTo to;
  const auto collect = [&](std::string_view wanted) {
    for (const Auditor& auditor : auditors) {
      if (auditor.jurisdiction == wanted) to.auditors.push_back(auditor.key);
    }
    to.two_person = two_person.contains(std::string(wanted));
  };
  if (!jurisdiction.empty()) collect(jurisdiction);
  if (to.auditors.empty()) collect("*");
  return to;
}

std::string FormatAuditors(const AuditorPolicy& policy) {
  std::string text;
  for (const Auditor& auditor : policy.auditors) {
    text += "auditor " + auditor.name + " " + auditor.jurisdiction + " " + Base64(auditor.key) + "\n";
  }
  for (const std::string& jurisdiction : policy.two_person) text += "two-person " + jurisdiction + "\n";
  return text;
}

Result<AuditorPolicy> ParseAuditors(std::string_view text) {
  if (text.size() > kMaxText) return Bad("longer than 64 KiB");
  AuditorPolicy policy;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string_view word = TakeWord(line);
    if (word == "auditor") {
      BOOST_OUTCOME_TRY(Auditor auditor, ParseAuditor(line));
      policy.auditors.push_back(std::move(auditor));
    } else if (word == "two-person" && (line == "*" || ValidJurisdiction(line))) {
      policy.two_person.emplace(line);
    } else {
      return Bad("expected `auditor NAME JURISDICTION KEY` or `two-person JURISDICTION`");
    }
  }
  BOOST_OUTCOME_TRY(Check(policy));
  return policy;
}

Result<AuditorPolicy> ReadAuditorsFile(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(path, kMaxText));
  if (text.find("PORTCULLIS-KEY-V1 ") == std::string::npos) return ParseAuditors(text);
  auto raw = certs::ReadPublicKeyFile(path, "x25519-public", sizeof(AuditorKey));
  if (!raw) return FromCerts(raw.error());
  AuditorPolicy policy;
  for (const auto& bytes : raw.value()) {
    Auditor& auditor = policy.auditors.emplace_back();
    auditor.name = "auditor-" + std::to_string(policy.auditors.size());
    auditor.jurisdiction = "*";
    std::copy(bytes.begin(), bytes.end(), auditor.key.begin());
  }
  BOOST_OUTCOME_TRY(Check(policy));
  return policy;
}

}  // namespace portcullis::audit
