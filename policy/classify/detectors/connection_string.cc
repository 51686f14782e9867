// URLs with a password in them: scheme://user:password@host. Covers up to the end of host and port.
// A placeholder ("<password>", "${PASSWORD}", "****") is none.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr size_t kMaxScheme = 32;
constexpr size_t kMaxUserInfo = 512;
constexpr size_t kMaxHost = 260;

bool IsUserInfo(unsigned char unit) {
  return unit > ' ' && unit != '/' && unit != '?' && unit != '#' && unit != '"' && unit != '\'' &&
         unit != '`' && unit != '<' && unit != '>' && unit != '\\' && unit != 0x7F;
}

bool ProbeUrl(const Window& window, size_t at, size_t, Match& match) {
  if (window[at + 1] != '/' || window[at + 2] != '/') return false;
  size_t start = at;
  while (at - start <= kMaxScheme && (IsAlnum(window[start - 1]) || window[start - 1] == '+' ||
                                      window[start - 1] == '-' || window[start - 1] == '.')) {
    --start;
  }
  while (start < at && !Is(window[start], kUpper | kLower)) ++start;
  if (at - start < 2 || at - start > kMaxScheme) return false;
  const size_t user = at + 3;
  size_t colon = 0;
  size_t sign = 0;  // the last '@': passwords may hold one
  for (size_t i = user; i - user < kMaxUserInfo && IsUserInfo(window[i]); ++i) {
    if (window[i] == ':' && colon == 0) colon = i;
    if (window[i] == '@') sign = i;
  }
  if (colon == 0 || sign < colon + 2) return false;
  const unsigned char first = window[colon + 1];
  if (first == '$' || first == '{' || first == '[' || first == '%' || window[colon + 2] == '{') {
    return false;
  }
  bool placeholder = true;
  for (size_t i = colon + 1; i < sign; ++i) {
    placeholder = placeholder &&
                  (window[i] == '*' || window[i] == 'x' || window[i] == 'X' || window[i] == '.');
  }
  if (placeholder) return false;
  const size_t end = RunEnd(window, sign + 1, kMaxHost, [](unsigned char u) {
    return IsWord(u) || u == '.' || u == '-' || u == '_' || u == ':' || u == '[' || u == ']';
  });
  size_t trimmed = end;
  while (trimmed > sign + 1 && (window[trimmed - 1] == '.' || window[trimmed - 1] == ':'))
    --trimmed;
  if (trimmed == sign + 1) return false;
  match = {.start = start, .end = trimmed, .confidence = 0.95f};
  return true;
}

}  // namespace

constinit const Detector kConnectionString = {
    .label = {"Secret", "connection_string", 4}, .triggers = kOnColon, .probe = ProbeUrl};

}  // namespace portcullis::policy
