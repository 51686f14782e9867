#include "policy/revise/statement.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

namespace portcullis::policy::revise {
namespace {

constexpr std::string_view kTitle = "portcullis policy statement 1";
constexpr std::string_view kKeyPrefix = "ed25519:";
constexpr size_t kMaxStatement = 1024;

using Nonce = std::array<uint8_t, 16>;

constexpr std::array kActs = {Act::kPropose, Act::kApprove,  Act::kApply,
                              Act::kKeep,    Act::kRollback, Act::kWithdraw};

template <size_t kSize>
std::string HexOf(const std::array<uint8_t, kSize>& bytes) {
  std::string out(2 * kSize + 1, '\0');
  sodium_bin2hex(out.data(), out.size(), bytes.data(), bytes.size());
  out.pop_back();
  return out;
}

template <size_t kSize>
bool FromHex(std::string_view text, std::array<uint8_t, kSize>& out) {
  size_t size = 0;
  return text.size() == 2 * kSize &&
         sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &size,
                        nullptr) == 0 &&
         size == kSize && HexOf(out) == text;
}

Error Bad(std::string_view why) {
  return {Code::kNotEntitled, "this is no statement of an officer: " + std::string(why)};
}

template <class Integer>
bool ParseInteger(std::string_view text, Integer& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// The value of the next line, which must be `name: value`.
Result<std::string_view> NextLine(std::string_view& rest, std::string_view name) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) return Bad("the line `" + std::string(name) + "` is missing");
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (!line.starts_with(name) || line.substr(name.size()).substr(0, 2) != ": ") {
    return Bad("expected the line `" + std::string(name) + ": …`");
  }
  return line.substr(name.size() + 2);
}

}  // namespace

std::string_view NameOf(Act act) {
  switch (act) {
    case Act::kPropose:
      return "propose";
    case Act::kApprove:
      return "approve";
    case Act::kApply:
      return "apply";
    case Act::kKeep:
      return "keep";
    case Act::kRollback:
      return "rollback";
    case Act::kWithdraw:
      return "withdraw";
  }
  return "unknown";
}

std::string ToText(const Statement& statement) {
  std::string out(kTitle);
  out += "\nact: " + std::string(NameOf(statement.act));
  out += "\nstore: " + statement.store;
  out += "\nrevision: " + std::to_string(statement.revision);
  out += "\ncontent: " + HashText(statement.content);
  out += "\nofficer: " + statement.officer;
  out += "\nissued: " + std::to_string(statement.issued);
  out += "\nexpires: " + std::to_string(statement.expires) + "\n";
  if (!statement.nonce.empty()) out += "nonce: " + statement.nonce + "\n";
  return out;
}

Result<Statement> ParseStatement(std::string_view text) {
  if (text.size() > kMaxStatement) return Bad("it is too long");
  std::string_view rest = text;
  if (!rest.starts_with(kTitle)) return Bad("it has another title");
  rest.remove_prefix(kTitle.size());
  if (!rest.starts_with('\n')) return Bad("it has another title");
  rest.remove_prefix(1);
  Statement out;
  BOOST_OUTCOME_TRY(const std::string_view act, NextLine(rest, "act"));
  const auto known = std::ranges::find(kActs, act, NameOf);
  if (known == kActs.end()) return Bad("there is no such act");
  out.act = *known;
  BOOST_OUTCOME_TRY(out.store, NextLine(rest, "store"));
  BOOST_OUTCOME_TRY(const std::string_view revision, NextLine(rest, "revision"));
  BOOST_OUTCOME_TRY(const std::string_view content, NextLine(rest, "content"));
  BOOST_OUTCOME_TRY(out.officer, NextLine(rest, "officer"));
  BOOST_OUTCOME_TRY(const std::string_view issued, NextLine(rest, "issued"));
  BOOST_OUTCOME_TRY(const std::string_view expires, NextLine(rest, "expires"));
  const auto hash = ParseHash(content);
  if (!hash || !ParseInteger(revision, out.revision) || !ParseInteger(issued, out.issued) ||
      !ParseInteger(expires, out.expires)) {
    return Bad("a number or hash is malformed");
  }
  out.content = *hash;
  if (!IsOfficerName(out.officer)) return Bad("the officer's name is malformed");
  if (!rest.empty()) {
    BOOST_OUTCOME_TRY(out.nonce, NextLine(rest, "nonce"));
    Nonce nonce{};
    if (!FromHex(out.nonce, nonce)) return Bad("the nonce is not 32 hexadecimal digits");
  }
  if (ToText(out) != text) return Bad("it is not in its one canonical form");
  return out;
}

bool IsOfficerName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '@';
  });
}

bool VerifySignature(const PublicKey& key, std::string_view bytes, const Signature& signature) {
  return crypto_sign_verify_detached(signature.data(),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     bytes.size(), key.data()) == 0;
}

SignedStatement SignStatement(Statement statement, const Signer& signer, bool by_appliance) {
  Nonce nonce{};
  randombytes_buf(nonce.data(), nonce.size());
  statement.nonce = HexOf(nonce);
  SignedStatement out;
  out.text = ToText(statement);
  out.key = signer.public_key();
  out.signature = signer.Sign(out.text);
  out.by_appliance = by_appliance;
  return out;
}

std::string KeyText(const PublicKey& key) { return std::string(kKeyPrefix) + HexOf(key); }

Result<PublicKey> ParseKey(std::string_view text) {
  PublicKey key;
  if (!text.starts_with(kKeyPrefix) || !FromHex(text.substr(kKeyPrefix.size()), key)) {
    return Error{Code::kNotEntitled,
                 "a public key is written `ed25519:` and 64 hexadecimal digits"};
  }
  return key;
}

std::string SignatureText(const Signature& signature) { return HexOf(signature); }

Result<Signature> ParseSignature(std::string_view text) {
  Signature signature;
  if (!FromHex(text, signature)) {
    return Error{Code::kNotEntitled, "a signature is written as 128 hexadecimal digits"};
  }
  return signature;
}

}  // namespace portcullis::policy::revise
