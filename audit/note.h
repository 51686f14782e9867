// C2SP signed notes and tlog-checkpoint: the text under which a log's head is signed, so that others'
// tools can check it (c2sp.org/signed-note, c2sp.org/tlog-checkpoint). Ed25519 only (type 0x01; witness
// cosignatures, type 0x04, are cosignature.h's). Parsing is strict and bounded; an unknown signer's line
// is ignored, a bad one of a known key is an error. Pure; keys come from the caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

inline constexpr size_t kMaxNote = 1 << 16;
inline constexpr size_t kMaxNoteSignatures = 16;

// DO NOT CHANGE THESE ENUM VALUES: signed-note's registry of signature types.
enum class NoteKeyType : uint8_t { kEd25519 = 1, kCosignature = 4 };

// A verifier key: `<name>+<key id, 8 hex>+<base64(type ‖ public key)>`.
struct VerifierKey {
  std::string name;
  PublicKey key{};
  NoteKeyType type = NoteKeyType::kEd25519;

  uint32_t Id() const;  // first 4 bytes of SHA-256(name ‖ "\n" ‖ type ‖ key)
  bool operator==(const VerifierKey&) const = default;
};
std::string FormatVerifierKey(const VerifierKey& key);
// Fails when the key id does not belong to name and key.
Result<VerifierKey> ParseVerifierKey(std::string_view text);
// One a line; empty lines and # are skipped. At most 16.
Result<std::vector<VerifierKey>> ParseVerifierKeys(std::string_view text);

struct NoteSignature {
  std::string_view line;  // whole, without its newline
  std::string_view name;
  uint32_t key_id = 0;
  std::string bytes;      // after the key id
};
// Views into the note.
struct Note {
  std::string_view text;  // with its last newline
  std::vector<NoteSignature> signatures;
};
Result<Note> ParseNote(std::string_view note);
// True when the key signed it, false when it did not; an error when its signature is wrong.
Result<bool> SignedBy(const Note& note, const VerifierKey& key);

std::string SignatureLine(const VerifierKey& key, std::span<const uint8_t> signature);
std::string SignNote(std::string_view text, const VerifierKey& key, const certs::SecretBytes& secret);

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  Hash root{};

  bool operator==(const Checkpoint&) const = default;
};

std::string CheckpointText(const Checkpoint& checkpoint);
// The text part alone, without any signature.
Result<Checkpoint> ParseCheckpointText(std::string_view text);
// `secret` is the 64-byte Ed25519 secret key that belongs to `key`.
std::string SignCheckpoint(const Checkpoint& checkpoint, const VerifierKey& key,
                           const certs::SecretBytes& secret);
// Checks the signature of `key` and that the origin is the key's name.
Result<Checkpoint> OpenCheckpoint(std::string_view note, const VerifierKey& key);

std::string Base64(std::span<const uint8_t> bytes);
// Canonical base64 only; fails on anything longer than `max` bytes decoded.
Result<std::string> FromBase64(std::string_view text, size_t max);
// A base64 SHA-256.
Result<Hash> HashFromBase64(std::string_view text);
// Plain decimal without leading zeros.
Result<uint64_t> ParseDecimal(std::string_view text);
// Cuts the text up to the next newline off the front; false when there is none.
bool TakeLine(std::string_view& rest, std::string_view& line);
std::string Hex(std::span<const uint8_t> bytes);

}  // namespace portcullis::audit
