// What classification reports: where in the text something sensitive lies, and what it is. Offsets
// are bytes of the original stream; the matched text itself is never part of a finding, so findings
// may be logged. All string_views point at static data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>

namespace portcullis::policy {

// "Contact" "Financial" "GovernmentId" "Health" "Secret" "Classified" "Network"
inline constexpr std::string_view kDataClasses[] = {
    "Contact", "Financial", "GovernmentId", "Health", "Secret", "Classified", "Network"};

struct Finding {
  std::string_view data_class;    // one of kDataClasses
  std::string_view kind;          // "email", "pan", "iban", ...
  uint64_t start = 0;             // first byte
  uint64_t end = 0;               // one past the last byte
  float confidence = 0;           // 0..1; a failed checksum of a secret lowers it, never hides it
  uint8_t severity = 0;           // 1 (harmless alone) .. 4 (a breach)
  std::string_view jurisdiction;  // of the data subject as ISO 3166-1 alpha-2, or ""

  bool operator==(const Finding&) const = default;
};

struct ClassSummary {
  uint64_t count = 0;
  uint8_t top_severity = 0;
  float top_confidence = 0;
};

// Findings per data class; classes without a finding are absent.
std::map<std::string_view, ClassSummary> Summarize(std::span<const Finding> findings);

}  // namespace portcullis::policy
