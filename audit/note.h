// C2SP signed notes and tlog-checkpoint: the text under which a log's head is signed, so that others'
// tools can check it (c2sp.org/signed-note, c2sp.org/tlog-checkpoint). Ed25519 only (type 0x01).
// Parsing is strict and bounded; an unknown signer's line is ignored, a bad one of the known key is an
// error. Pure; keys come from the caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

inline constexpr size_t kMaxNote = 1 << 16;
inline constexpr size_t kMaxNoteSignatures = 16;

// A verifier key: `<name>+<key id, 8 hex>+<base64(0x01 ‖ public key)>`.
struct VerifierKey {
  std::string name;
  PublicKey key{};

  uint32_t Id() const;  // first 4 bytes of SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)
};
std::string FormatVerifierKey(const VerifierKey& key);
// Fails when the key id does not belong to name and key.
Result<VerifierKey> ParseVerifierKey(std::string_view text);

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  Hash root{};
};

std::string CheckpointText(const Checkpoint& checkpoint);
// `secret` is the 64-byte Ed25519 secret key that belongs to `key`.
std::string SignCheckpoint(const Checkpoint& checkpoint, const VerifierKey& key,
                           const certs::SecretBytes& secret);
// Checks the signature of `key` and that the origin is the key's name.
Result<Checkpoint> OpenCheckpoint(std::string_view note, const VerifierKey& key);

std::string Base64(std::span<const uint8_t> bytes);
// Canonical base64 only; fails on anything longer than `max` bytes decoded.
Result<std::string> FromBase64(std::string_view text, size_t max);
std::string Hex(std::span<const uint8_t> bytes);

}  // namespace portcullis::audit
