// Private keys in textual encoding (RFC 7468, OpenPGP armour, RFC 4716): from BEGIN to END, as a
// block that streams. The body goes on over base64, white space, escapes and quotes; a header line
// ("Proc-Type: ...") may hold anything.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr size_t kMaxDashes = 16;
constexpr size_t kMaxLabel = 48;
constexpr size_t kMinBody = 16;

enum Phase : uint8_t {
  kBody = 0,  // 1..5: so many dashes in a row
  kFourDashes = 4,
  kManyDashes = 5,
  kE = 6,  // "----E"
  kEn = 7,
  kEnd = 8,  // in the label of the END line; 9..12: so many dashes after it
  kClosing = 12,
  kHeaderLine = 0x80,  // flag: after a colon, until the line ends
};

bool IsBase64(unsigned char unit) { return IsAlnum(unit) || unit == '+' || unit == '/'; }

bool IsFiller(unsigned char unit) {
  return Is(unit, kSpace) || unit == '\\' || unit == '"' || unit == '\'' || unit == ',' ||
         unit == '=' || unit == ':';
}

BlockStep EndLine(BlockState& state, unsigned char unit) {
  if (unit == '-') {
    state.complete = true;
    return state.phase++ == kClosing ? BlockStep::kLast : BlockStep::kMore;
  }
  const bool label = state.phase == kEnd && (IsAlnum(unit) || unit == ' ');
  return label ? BlockStep::kMore : BlockStep::kOutside;
}

BlockStep Body(BlockState& state, unsigned char unit) {
  if (state.phase >= kEnd && state.phase <= kClosing) return EndLine(state, unit);
  bool header = (state.phase & kHeaderLine) != 0;
  const int phase = state.phase & ~kHeaderLine;
  const bool dashes = phase == kFourDashes || phase == kManyDashes;
  int next = kBody;
  if (unit == '-') {
    next = phase < kManyDashes ? phase + 1 : phase == kManyDashes ? kManyDashes : 1;
  } else if (dashes && unit == ' ') {
    next = phase;
  } else if ((dashes && unit == 'E') || (phase == kE && unit == 'N')) {
    next = dashes ? kE : kEn;
  } else if (phase == kEn && unit == 'D') {
    state.phase = kEnd;
    return BlockStep::kMore;
  }
  if (unit == ':') header = true;
  if (unit == '\n' || unit == '\\') header = false;
  state.phase = static_cast<uint8_t>(next | (header ? kHeaderLine : 0));
  return header || unit == '-' || IsBase64(unit) || IsFiller(unit) ? BlockStep::kMore
                                                                   : BlockStep::kOutside;
}

// Key material, or a header line, begins after the BEGIN line: it is not just being talked about.
bool BodyFollows(const Window& window, size_t at) {
  size_t run = 0;
  for (size_t i = at; i < at + 96; ++i) {
    const unsigned char unit = window[i];
    if (unit == '\\' && (window[i + 1] == 'n' || window[i + 1] == 'r')) {
      ++i;
    } else if (IsBase64(unit) || (run > 0 && unit == '-')) {
      if (++run == kMinBody) return true;
    } else if (unit == ':' && run > 0) {
      return true;
    } else if (unit == ' ' && run > 0) {
      return false;
    } else if (!IsFiller(unit)) {
      return false;
    }
  }
  return false;
}

bool ProbePem(const Window& window, size_t at, size_t, Match& match) {
  const size_t dashes = RunEnd(window, at, kMaxDashes, [](unsigned char u) { return u == '-'; });
  size_t i = dashes + (window[dashes] == ' ' ? 1 : 0);
  if (!StartsWith(window, i, "BEGIN ")) return false;
  i += 6;
  const size_t end = RunEnd(window, i, kMaxLabel,
                            [](unsigned char u) { return Is(u, kUpper | kDigit) || u == ' '; });
  bool is_private = false;
  for (size_t k = i; k + 11 <= end; ++k) is_private |= StartsWith(window, k, "PRIVATE KEY");
  const size_t closing = RunEnd(window, end, kMaxDashes, [](unsigned char u) { return u == '-'; });
  if (!is_private || closing - end < 4 || !BodyFollows(window, closing)) return false;
  match = {.start = at, .end = closing, .confidence = 0.99f, .body = Body};
  return true;
}

constexpr std::string_view kLiterals[] = {"----"};

}  // namespace

constinit const Detector kPrivateKey = {.label = {"Secret", "private_key", 4},
                                        .triggers = kOnLiteral,
                                        .literals = kLiterals,
                                        .probe = ProbePem};

}  // namespace portcullis::policy
