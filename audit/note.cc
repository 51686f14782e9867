#include "audit/note.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "audit/bytes.h"
#include "audit/merkle.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space

Error Bad(const char* what, const std::string& why) {
  return Error{Code::kTampered, std::string(what) + ": " + why};
}

Result<NoteSignature> ParseSignatureLine(std::string_view line) {
  NoteSignature signature;
  signature.line = line;
  if (!line.starts_with(kDash)) return Bad("note", "a signature line is malformed");
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return Bad("note", "a signature line is malformed");
  signature.name = line.substr(0, space);
  auto raw = FromBase64(line.substr(space + 1), 8192);
  if (!raw || raw.value().size() < 5) return Bad("note", "a signature is not valid base64");
  ByteReader in(raw.value());
  signature.key_id = in.Get<uint32_t>();
  signature.bytes = in.Take(in.left());
  return signature;
}

}  // namespace

bool TakeLine(std::string_view& rest, std::string_view& line) {
  const size_t newline = rest.find('\n');
  if (newline == std::string_view::npos) return false;
  line = rest.substr(0, newline);
  rest.remove_prefix(newline + 1);
  return true;
}

Result<uint64_t> ParseDecimal(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() ||
      (text.size() > 1 && text[0] == '0')) {
    return Error{Code::kBadFormat, "not a plain decimal number"};
  }
  return value;
}

Result<Hash> HashFromBase64(std::string_view text) {
  BOOST_OUTCOME_TRY(const std::string raw, FromBase64(text, 64));
  Hash hash;
  if (raw.size() != hash.size()) return Error{Code::kBadFormat, "not a base64 SHA-256"};
  std::memcpy(hash.data(), raw.data(), hash.size());
  return hash;
}

std::string Base64(std::span<const uint8_t> bytes) {
  const size_t size = sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  std::string text(size, '\0');
  sodium_bin2base64(text.data(), size, bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(size - 1);
  return text;
}

Result<std::string> FromBase64(std::string_view text, size_t max) {
  std::string out(max, '\0');
  size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<uint8_t*>(out.data()), out.size(), text.data(), text.size(),
                        nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return Error{Code::kBadFormat, "not valid base64 of a fitting length"};
  }
  out.resize(size);
  if (Base64(AsBytes(out)) != text) return Error{Code::kBadFormat, "base64 is not canonical"};
  return out;
}

std::string Hex(std::span<const uint8_t> bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

uint32_t VerifierKey::Id() const {
  std::string text = name;
  text.push_back('\n');
  text.push_back(static_cast<char>(type));
  text.append(AsText(key));
  const Hash hash = Sha256(text);
  ByteReader in(AsText(hash));
  return in.Get<uint32_t>();
}

std::string FormatVerifierKey(const VerifierKey& key) {
  std::string raw(1, static_cast<char>(key.type));
  raw.append(AsText(key.key));
  std::array<uint8_t, 4> id;
  StoreBigEndian(key.Id(), id.data());
  return key.name + "+" + Hex(id) + "+" + Base64(AsBytes(raw));
}

Result<VerifierKey> ParseVerifierKey(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) {
    return Bad("verifier key", "expected `<name>+<key id>+<base64>`");
  }
  VerifierKey key;
  key.name = text.substr(0, first);
  if (!ValidOrigin(key.name)) return Bad("verifier key", "the name has a character outside its set");
  auto raw = FromBase64(text.substr(second + 1), 64);
  if (!raw || raw.value().size() != 33) return Bad("verifier key", "not an Ed25519 key");
  const uint8_t type = static_cast<uint8_t>(raw.value()[0]);
  if (type != static_cast<uint8_t>(NoteKeyType::kEd25519) &&
      type != static_cast<uint8_t>(NoteKeyType::kCosignature)) {
    return Bad("verifier key", "not an Ed25519 key");
  }
  key.type = static_cast<NoteKeyType>(type);
  std::memcpy(key.key.data(), raw.value().data() + 1, key.key.size());
  std::array<uint8_t, 4> id;
  StoreBigEndian(key.Id(), id.data());
  if (text.substr(first + 1, second - first - 1) != Hex(id)) {
    return Bad("verifier key", "the key id does not belong to this name and key");
  }
  return key;
}

Result<std::vector<VerifierKey>> ParseVerifierKeys(std::string_view text) {
  std::vector<VerifierKey> keys;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    BOOST_OUTCOME_TRY(VerifierKey key, ParseVerifierKey(line));
    if (keys.size() == kMaxNoteSignatures) return Bad("verifier keys", "more than 16");
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Note> ParseNote(std::string_view note) {
  if (note.size() > kMaxNote) return Bad("note", "longer than 64 KiB");
  for (const char c : note) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return Bad("note", "a control character");
  }
  const size_t blank = note.rfind("\n\n");
  if (blank == std::string_view::npos) return Bad("note", "no signature");
  Note out;
  out.text = note.substr(0, blank + 1);
  std::string_view rest = note.substr(blank + 2);
  std::string_view line;
  while (TakeLine(rest, line)) {
    if (out.signatures.size() == kMaxNoteSignatures) return Bad("note", "more than 16 signatures");
    BOOST_OUTCOME_TRY(NoteSignature signature, ParseSignatureLine(line));
    out.signatures.push_back(std::move(signature));
  }
  if (!rest.empty()) return Bad("note", "bytes after the last signature line");
  if (out.signatures.empty()) return Bad("note", "no signature");
  return out;
}

Result<bool> SignedBy(const Note& note, const VerifierKey& key) {
  bool found = false;
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != key.name || signature.key_id != key.Id()) continue;
    if (signature.bytes.size() != sizeof(Signature) ||
        crypto_sign_verify_detached(AsBytes(signature.bytes).data(), AsBytes(note.text).data(),
                                    note.text.size(), key.key.data()) != 0) {
      return Bad("note", "the signature of `" + key.name + "` is wrong");
    }
    found = true;
  }
  return found;
}

std::string SignatureLine(const VerifierKey& key, std::span<const uint8_t> signature) {
  std::string raw;
  ByteWriter out(raw);
  out.Put(key.Id());
  out.PutBytes(signature);
  return std::string(kDash) + key.name + " " + Base64(AsBytes(raw)) + "\n";
}

std::string SignNote(std::string_view text, const VerifierKey& key, const certs::SecretBytes& secret) {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, AsBytes(text).data(), text.size(), secret.data());
  return std::string(text) + "\n" + SignatureLine(key, signature);
}

std::string CheckpointText(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + Base64(checkpoint.root) +
         "\n";
}

Result<Checkpoint> ParseCheckpointText(std::string_view text) {
  std::string_view origin, size, root;
  if (!TakeLine(text, origin) || !TakeLine(text, size) || !TakeLine(text, root)) {
    return Bad("checkpoint", "fewer than three lines");
  }
  Checkpoint checkpoint;
  checkpoint.origin = origin;
  if (origin.empty()) return Bad("checkpoint", "no origin");
  const auto number = ParseDecimal(size);
  if (!number) return Bad("checkpoint", "the size is not a plain decimal number");
  checkpoint.size = number.value();
  const auto hash = HashFromBase64(root);
  if (!hash) return Bad("checkpoint", "the root is not a base64 SHA-256");
  checkpoint.root = hash.value();
  return checkpoint;
}

std::string SignCheckpoint(const Checkpoint& checkpoint, const VerifierKey& key,
                           const certs::SecretBytes& secret) {
  return SignNote(CheckpointText(checkpoint), key, secret);
}

Result<Checkpoint> OpenCheckpoint(std::string_view note, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(const Note parsed, ParseNote(note));
  BOOST_OUTCOME_TRY(const bool signed_by_key, SignedBy(parsed, key));
  if (!signed_by_key) return Bad("checkpoint", "not signed by the key of `" + key.name + "`");
  BOOST_OUTCOME_TRY(Checkpoint checkpoint, ParseCheckpointText(parsed.text));
  if (checkpoint.origin != key.name) return Bad("checkpoint", "it belongs to another log");
  return checkpoint;
}

}  // namespace portcullis::audit
