// Who may read: the auditors' public keys, by jurisdiction, and where two of them must act together.
// A text that the log key signs (AUDITORS in FORMAT.md); a change is told in a CONFIG record. Where a
// jurisdiction has auditors of its own, its records are sealed to them and to nobody else. Parsing is
// strict and bounded. Plain values.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/seal.h"

namespace portcullis::audit {

struct Auditor {
  std::string name;
  std::string jurisdiction;  // "*": every one that has no auditors of its own
  AuditorKey key{};

  bool operator==(const Auditor&) const = default;
};

struct AuditorPolicy {
  std::vector<Auditor> auditors;
  std::set<std::string> two_person;  // jurisdictions, or "*", where any two of the auditors must act

  // Those a record of this jurisdiction is sealed to, and how.
  SealTo For(std::string_view jurisdiction) const;
  bool operator==(const AuditorPolicy&) const = default;
};

inline constexpr size_t kMaxJurisdiction = 16;
bool ValidJurisdiction(std::string_view text);  // upper-case letters, digits and '-', 1 to 16

std::string FormatAuditors(const AuditorPolicy& policy);
// Lines `auditor NAME JURISDICTION BASE64` and `two-person JURISDICTION`; # begins a comment.
Result<AuditorPolicy> ParseAuditors(std::string_view text);
// Either such lines, or public key files (one key a line), which then hold for every jurisdiction.
Result<AuditorPolicy> ReadAuditorsFile(const std::filesystem::path& path);

}  // namespace portcullis::audit
