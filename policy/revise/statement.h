// What an officer signs: a few lines of plain text, so that a person can read what the key signs.
//
//   portcullis policy statement 1
//   act: approve
//   store: 9f0c…            (32 hexadecimal digits: this store and no other)
//   revision: 7
//   content: sha256:…       (64 digits: every byte of the revision)
//   officer: paul
//   issued: 1767225600      (seconds since 1970, UTC)
//   expires: 1767830400
//   nonce: 51d2…            (32 hexadecimal digits, chosen at random when it is signed)
//
// Ed25519 over these bytes (FORMAT.md). A statement is bound to one store, number, content and
// time, so it can neither be moved to another revision nor be used after an edit. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/revise/bytes.h"

namespace portcullis::policy::revise {

using PublicKey = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

// DO NOT CHANGE THESE VALUES: they are part of every event on disk.
enum class Act : uint8_t {
  kPropose = 1,
  kApprove = 2,
  kApply = 3,
  kKeep = 4,
  kRollback = 5,
  kWithdraw = 6
};
std::string_view NameOf(Act act);

struct Statement {
  Act act = Act::kPropose;
  std::string store;  // 32 hexadecimal digits
  uint64_t revision = 0;
  Hash content{};
  std::string officer;
  int64_t issued = 0;
  int64_t expires = 0;
  std::string nonce;  // 32 hexadecimal digits, or empty: a statement of an older kind

  bool operator==(const Statement&) const = default;
};

std::string ToText(const Statement& statement);
// Strict: exactly the text that ToText would write.
Result<Statement> ParseStatement(std::string_view text);

// Letters, digits, '.', '-', '_', '@', at most 64 of them.
bool IsOfficerName(std::string_view name);

// Signs with a secret that it keeps to itself (a key file, a token). Must be usable from any
// thread.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual PublicKey public_key() const = 0;
  virtual Signature Sign(std::string_view bytes) const = 0;
};

bool VerifySignature(const PublicKey& key, std::string_view bytes, const Signature& signature);

// A statement with its signature. `by_appliance`: the officer proved who he is to the appliance
// (certificate and passkey) and the appliance's own key has signed for him.
struct SignedStatement {
  std::string text;
  PublicKey key{};
  Signature signature{};
  bool by_appliance = false;
};

// With a nonce of its own: who acts twice within a second has signed two statements.
SignedStatement SignStatement(Statement statement, const Signer& signer, bool by_appliance);

// "ed25519:" and 64 hexadecimal digits.
std::string KeyText(const PublicKey& key);
Result<PublicKey> ParseKey(std::string_view text);
std::string SignatureText(const Signature& signature);  // 128 hexadecimal digits
Result<Signature> ParseSignature(std::string_view text);

}  // namespace portcullis::policy::revise
