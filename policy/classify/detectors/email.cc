// Mail addresses (RFC 5321 dot-string local part of at most 64, domain of at least two labels that
// ends in letters; other scripts' letters as in RFC 6531). The trigger is '@'.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr size_t kMaxLocal = 64;
constexpr size_t kMaxDomain = 253;
constexpr size_t kMaxLabel = 63;

// Start of the local part that ends at `at`; `at` itself when there is none.
size_t LocalStart(const Window& window, size_t at) {
  size_t start = at;
  while (at - start <= kMaxLocal && IsBackward(window[start - 1])) --start;
  if (at - start > kMaxLocal || window[at - 1] == '.') return at;
  for (size_t i = start; i + 1 < at; ++i) {
    if (window[i] == '.' && window[i + 1] == '.') start = i + 2;
  }
  while (start < at && !IsWord(window[start]) && window[start] != '_') ++start;
  return start;
}

// End of the domain at `start`; `start` itself when there is none.
size_t DomainEnd(const Window& window, size_t start) {
  size_t end = start;
  size_t labels = 0;
  for (size_t label = start;;) {
    const size_t stop =
        RunEnd(window, label, kMaxLabel + 1, [](unsigned char u) { return IsWord(u) || u == '-'; });
    if (stop == label || stop - label > kMaxLabel || stop - start > kMaxDomain) break;
    if (window[label] == '-') break;
    ++labels;
    // A last label is letters (or xn--...); what follows a dash is no longer part of the address.
    const size_t letters =
        StartsWith(window, label, "xn--") || StartsWith(window, label, "XN--")
            ? stop
            : RunEnd(window, label, stop - label, [](unsigned char u) { return IsLetter(u); });
    if (labels >= 2 && letters - label >= 2 && WordEnds(window, letters)) end = letters;
    if (window[stop] != '.' || window[stop - 1] == '-') break;
    label = stop + 1;
  }
  return end;
}

bool ProbeEmail(const Window& window, size_t at, size_t, Match& match) {
  const size_t start = LocalStart(window, at);
  if (start == at) return false;
  const size_t end = DomainEnd(window, at + 1);
  if (end == at + 1) return false;
  // git@host:path names a repository.
  if (at - start == 3 && StartsWith(window, start, "git") && window[end] == ':') return false;
  match = {.start = start, .end = end, .confidence = 0.95f};
  return true;
}

}  // namespace

constinit const Detector kEmail = {
    .label = {"Contact", "email", 2}, .triggers = kOnAt, .probe = ProbeEmail};

}  // namespace portcullis::policy
