// Addresses of machines: IPv4, IPv6 (RFC 4291) of the blocks in use, MAC (IEEE 802). Loopback,
// "any" and broadcast addresses name nobody and are left out; so are version numbers.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kVersionWordList[] = {"version", "v", "ver", "release", "build"};
constexpr ContextWords kVersionWords = kVersionWordList;
constexpr Label kMac = {"Network", "mac", 1};

bool ProbeIpv4(const Window& window, size_t at, size_t, Match& match) {
  const unsigned char before = window[at - 1];
  if (IsWord(before) || before == '.') return false;
  if (before == '/' && IsWord(window[at - 2])) return false;  // product/1.2.3.4
  int octets[4] = {};
  size_t i = at;
  for (int k = 0; k < 4; ++k) {
    if (k > 0 && window[i++] != '.') return false;
    const size_t end = RunEnd(window, i, 4, IsDigit);
    if (end == i || end - i > 3 || (end - i > 1 && window[i] == '0')) return false;
    for (; i < end; ++i) octets[k] = octets[k] * 10 + (window[i] - '0');
    if (octets[k] > 255) return false;
  }
  if (!WordEnds(window, i) || (window[i] == '.' && IsAlnum(window[i + 1]))) return false;
  if (octets[0] == 127 || octets[0] == 0 || (octets[0] == 255 && octets[3] == 255)) return false;
  if (Near(window, at, 10, kVersionWords)) return false;
  match = {.start = at, .end = i, .confidence = 0.85f};
  return true;
}

// Six pairs of hexadecimal digits; `at` is the first colon.
bool ProbeMac(const Window& window, size_t at, Match& match) {
  const size_t start = at - 2;
  const unsigned char before = window[start - 1];
  if (IsWord(before) || before == ':' || before == '-') return false;
  size_t i = start;
  bool varied = false;
  for (int k = 0; k < 6; ++k) {
    if (k > 0 && window[i++] != ':') return false;
    if (HexValue(window[i]) < 0 || HexValue(window[i + 1]) < 0) return false;
    varied = varied || window[i] != window[start] || window[i + 1] != window[start];
    i += 2;
  }
  if (!varied || !WordEnds(window, i) || window[i] == ':') return false;
  match = {.start = start, .end = i, .confidence = 0.9f, .label = &kMac};
  return true;
}

// 2000::/3, fc00::/7, fe80::/10 and 64:ff9b::/96: what real machines have.
bool IsUsedBlock(int first) {
  return (first & 0xE000) == 0x2000 || (first & 0xFE00) == 0xFC00 || (first & 0xFFC0) == 0xFE80 ||
         first == 0x64;
}

// `at` is the first colon, with the first group before it.
bool ProbeIpv6(const Window& window, size_t at, Match& match) {
  size_t start = at;
  while (at - start <= 4 && HexValue(window[start - 1]) >= 0) --start;
  const unsigned char before = window[start - 1];
  if (start == at || at - start > 4 || IsWord(before) || before == ':' || before == '.')
    return false;
  int first = 0;
  for (size_t i = start; i < at; ++i) first = first << 4 | HexValue(window[i]);
  if (!IsUsedBlock(first)) return false;
  int groups = 1;
  bool gap = false;
  size_t end = at;
  while (window[end] == ':' && groups <= 8) {
    const bool is_gap = window[end + 1] == ':';
    if (is_gap && gap) return false;
    const size_t group = end + (is_gap ? 2 : 1);
    const size_t stop = RunEnd(window, group, 5, [](unsigned char u) { return HexValue(u) >= 0; });
    if (stop - group > 4) return false;
    if (stop == group && !is_gap) break;  // a colon after the address
    gap = gap || is_gap;
    groups += stop > group ? 1 : 0;
    end = stop;
    if (stop == group) break;
  }
  if (!WordEnds(window, end) || (gap ? groups > 7 : groups != 8)) return false;
  match = {.start = start, .end = end, .confidence = 0.9f};
  return true;
}

bool ProbeColon(const Window& window, size_t at, size_t, Match& match) {
  if (HexValue(window[at - 1]) < 0) return false;
  return ProbeMac(window, at, match) || ProbeIpv6(window, at, match);
}

}  // namespace

constinit const Detector kIpv4 = {
    .label = {"Network", "ipv4", 1}, .triggers = kOnNumber, .min_digits = 4, .probe = ProbeIpv4};
constinit const Detector kIpv6 = {
    .label = {"Network", "ipv6", 1}, .triggers = kOnColon, .probe = ProbeColon};

}  // namespace portcullis::policy
