// Amazon Web Services: access key ids by their prefix, secret access keys by the name before them.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr Label kSecretKey = {"Secret", "aws_secret_key", 4};

// The first two are keys; the others name users, roles and the like.
constexpr std::string_view kLiterals[] = {"AKIA",
                                          "ASIA",
                                          "ABIA",
                                          "ACCA",
                                          "AGPA",
                                          "AIDA",
                                          "AIPA",
                                          "ANPA",
                                          "ANVA",
                                          "APKA",
                                          "AROA",
                                          "ASCA",
                                          "aws_secret",
                                          "AWS_SECRET",
                                          "awsSecret",
                                          "AwsSecret",
                                          "secret_access_key",
                                          "SECRET_ACCESS_KEY",
                                          "secretAccessKey",
                                          "SecretAccessKey"};
constexpr size_t kKeys = 2;
constexpr size_t kPrefixes = 12;
constexpr size_t kIdBody = 16;
constexpr size_t kSecretLength = 40;

bool ProbeId(const Window& window, size_t at, size_t literal, Match& match) {
  const size_t end =
      RunEnd(window, at + 4, kIdBody + 1, [](unsigned char u) { return Is(u, kUpper | kDigit); });
  if (end - at != 4 + kIdBody || !WordEnds(window, end) || window[end] == '_') return false;
  if (!IsVaried(window, at + 4, end, 5)) return false;
  match = {.start = at, .end = end, .confidence = literal < kKeys ? 0.97f : 0.8f};
  return true;
}

// NAME, then `=`, `:`, `=>`, quotes and spaces in any order, then forty units of base64.
bool ProbeSecret(const Window& window, size_t at, Match& match) {
  const size_t name =
      RunEnd(window, at, 40, [](unsigned char u) { return IsAlnum(u) || u == '_'; });
  const size_t start = RunEnd(window, name, 12, [](unsigned char u) {
    return u == ' ' || u == '=' || u == ':' || u == '>' || u == '"' || u == '\'' || u == '\t' ||
           u == '\\';
  });
  if (start == name) return false;
  const auto is_base64 = [](unsigned char u) { return IsAlnum(u) || u == '+' || u == '/'; };
  const size_t end = RunEnd(window, start, kSecretLength + 1, is_base64);
  if (end - start != kSecretLength || window[end] == '=' || !IsVaried(window, start, end, 12)) {
    return false;
  }
  match = {.start = start, .end = end, .confidence = 0.95f, .label = &kSecretKey};
  return true;
}

bool ProbeAws(const Window& window, size_t at, size_t literal, Match& match) {
  return literal < kPrefixes ? ProbeId(window, at, literal, match) : ProbeSecret(window, at, match);
}

}  // namespace

constinit const Detector kAws = {.label = {"Secret", "aws_access_key_id", 4},
                                 .triggers = kOnLiteral,
                                 .literals = kLiterals,
                                 .probe = ProbeAws};

}  // namespace portcullis::policy
