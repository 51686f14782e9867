// What the tests of classify share: scanning a text in given pieces, and short names for findings.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "policy/treat/redact.h"

namespace portcullis::policy {

inline void PrintTo(const Finding& finding, std::ostream* out) {
  *out << finding.kind << " [" << finding.start << "," << finding.end << ") " << finding.confidence
       << " " << finding.jurisdiction;
}

// The text cut at the given offsets (sorted).
inline std::vector<std::string_view> Cut(std::string_view text, const std::vector<size_t>& at) {
  std::vector<std::string_view> pieces;
  size_t from = 0;
  for (const size_t cut : at) {
    pieces.push_back(text.substr(from, cut - from));
    from = cut;
  }
  pieces.push_back(text.substr(from));
  return pieces;
}

inline std::vector<Finding> ScanPieces(const std::vector<std::string_view>& pieces) {
  Scanner scanner(BuiltinDetectors());
  for (const std::string_view piece : pieces) scanner.Feed(piece);
  scanner.Finish();
  return {scanner.findings().begin(), scanner.findings().end()};
}

inline std::vector<Finding> Scan(std::string_view text) { return ScanPieces({text}); }

inline std::string RedactPieces(const std::vector<std::string_view>& pieces) {
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  std::string out;
  for (const std::string_view piece : pieces) out += redactor.Feed(piece).value();
  return out + redactor.Finish().value();
}

inline std::string RedactAll(std::string_view text) { return RedactPieces({text}); }

// "kind:matched text" of every finding.
inline std::vector<std::string> Found(std::string_view text) {
  std::vector<std::string> found;
  for (const Finding& f : Scan(text)) {
    found.push_back(std::string(f.kind) + ":" + std::string(text.substr(f.start, f.end - f.start)));
  }
  return found;
}

// True when a finding of `kind` covers exactly `value` in "before VALUE after".
inline bool Finds(std::string_view kind, std::string_view value, std::string_view before = "see ",
                  std::string_view after = " there") {
  const std::string text = std::string(before) + std::string(value) + std::string(after);
  for (const Finding& f : Scan(text)) {
    if (f.kind == kind && f.start == before.size() && f.end == before.size() + value.size()) {
      return true;
    }
  }
  return false;
}

inline bool FindsKind(std::string_view kind, std::string_view text) {
  const auto findings = Scan(text);
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& f) { return f.kind == kind; });
}

inline std::string RandomFrom(std::mt19937_64& random, std::string_view alphabet, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

inline constexpr std::string_view kDigits = "0123456789";
inline constexpr std::string_view kUppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
inline constexpr std::string_view kAlnums =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

}  // namespace portcullis::policy
