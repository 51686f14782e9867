// Tokens of GitHub and npm. Classic ones end in the CRC-32 of what is before, in six digits of
// base 62: where it holds the token is real, where not it is reported with little confidence, since
// a mistyped or cut token is still nothing to send away.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/checksum.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr Label kNpm = {"Secret", "npm_token", 4};

constexpr std::string_view kLiterals[] = {"ghp_", "gho_", "ghu_",       "ghs_",
                                          "ghr_", "npm_", "github_pat_"};
constexpr size_t kNpmLiteral = 5;
constexpr size_t kFineGrained = 6;
constexpr size_t kEntropy = 30;
constexpr size_t kCheck = 6;
constexpr size_t kFineGrainedBody = 82;  // 22 + '_' + 59

bool CheckHolds(const Window& window, size_t body) {
  constexpr std::string_view kBase62 =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<char, kEntropy> entropy;
  for (size_t i = 0; i < kEntropy; ++i) entropy[i] = static_cast<char>(window[body + i]);
  uint32_t check = Crc32({entropy.data(), kEntropy});
  for (size_t i = kCheck; i-- > 0; check /= 62) {
    if (window[body + kEntropy + i] != static_cast<unsigned char>(kBase62[check % 62]))
      return false;
  }
  return true;
}

bool ProbeFineGrained(const Window& window, size_t at, size_t body, Match& match) {
  const size_t end = RunEnd(window, body, kFineGrainedBody + 1,
                            [](unsigned char u) { return IsAlnum(u) || u == '_'; });
  if (end - body != kFineGrainedBody || !WordEnds(window, end) || window[body + 22] != '_') {
    return false;
  }
  if (!IsVaried(window, body, end, 8)) return false;
  match = {.start = at, .end = end, .confidence = 0.95f};
  return true;
}

bool ProbeToken(const Window& window, size_t at, size_t literal, Match& match) {
  const size_t body = at + kLiterals[literal].size();
  if (literal == kFineGrained) return ProbeFineGrained(window, at, body, match);
  const size_t end = RunEnd(window, body, kEntropy + kCheck + 1, IsAlnum);
  if (end - body != kEntropy + kCheck || !WordEnds(window, end) || window[end] == '_') return false;
  if (!IsVaried(window, body, end, 5)) return false;
  match = {.start = at,
           .end = end,
           .confidence = CheckHolds(window, body) ? 0.99f : 0.3f,
           .label = literal == kNpmLiteral ? &kNpm : nullptr};
  return true;
}

}  // namespace

constinit const Detector kGithub = {.label = {"Secret", "github_token", 4},
                                    .triggers = kOnLiteral,
                                    .literals = kLiterals,
                                    .probe = ProbeToken};

}  // namespace portcullis::policy
