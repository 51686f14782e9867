// JSON Web Tokens: signed (RFC 7515, three parts) and encrypted (RFC 7516, five), in compact form.
// The header must decode to a JSON object with "alg". A token longer than the window streams.
#include <string>

#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr size_t kMaxHeader = 1024;  // units of base64url

int Base64UrlValue(unsigned char unit) {
  if (Is(unit, kUpper)) return unit - 'A';
  if (Is(unit, kLower)) return unit - 'a' + 26;
  if (IsDigit(unit)) return unit - '0' + 52;
  return unit == '-' ? 62 : unit == '_' ? 63 : -1;
}

bool IsPart(unsigned char unit) { return Is(unit, kToken); }

// Decodes [start, end) into `out`, which is large enough; returns the bytes.
std::string_view Decode(const Window& window, size_t start, size_t end,
                        std::array<char, kMaxHeader>& out) {
  uint32_t bits = 0;
  int have = 0;
  size_t size = 0;
  for (size_t i = start; i < end; ++i) {
    bits = bits << 6 | static_cast<uint32_t>(Base64UrlValue(window[i]));
    have += 6;
    if (have >= 8) {
      have -= 8;
      out[size++] = static_cast<char>(bits >> have & 0xFF);
    }
  }
  return {out.data(), size};
}

BlockStep Body(BlockState& state, unsigned char unit) {
  state.complete = true;  // there is no mark of the end to miss
  return IsPart(unit) || unit == '.' ? BlockStep::kMore : BlockStep::kOutside;
}

bool ProbeJwt(const Window& window, size_t at, size_t, Match& match) {
  const unsigned char before = window[at - 1];
  if (IsPart(before)) return false;
  const size_t header = RunEnd(window, at, kMaxHeader, IsPart);
  if (header - at == kMaxHeader || window[header] != '.') return false;
  std::array<char, kMaxHeader> buffer;
  const std::string_view json = Decode(window, at, header, buffer);
  if (!json.starts_with('{') || !json.ends_with('}')) return false;
  if (json.find("\"alg\"") == std::string_view::npos) return false;
  const bool encrypted = json.find("\"enc\"") != std::string_view::npos;
  const bool unsecured = json.find("none") != std::string_view::npos;
  const size_t parts = encrypted ? 5 : 3;
  size_t end = header;
  for (size_t part = 2; part <= parts; ++part) {
    const size_t start = end + 1;
    end = RunEnd(window, start, window.limit() - start, IsPart);
    if (end == window.limit()) {
      match = {.start = at, .end = end, .confidence = 0.95f, .body = Body};
      return true;
    }
    const bool may_be_empty = (encrypted && part == 2) || (unsecured && part == parts);
    if (end == start && !may_be_empty) return false;
    if (part < parts && window[end] != '.') return false;
  }
  match = {.start = at, .end = end, .confidence = 0.99f};
  return true;
}

constexpr std::string_view kLiterals[] = {"eyJ"};

}  // namespace

constinit const Detector kJwt = {.label = {"Secret", "jwt", 4},
                                 .triggers = kOnLiteral,
                                 .literals = kLiterals,
                                 .probe = ProbeJwt};

}  // namespace portcullis::policy
