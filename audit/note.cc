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

constexpr uint8_t kEd25519 = 1;
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space

Error Bad(const char* what, const std::string& why) {
  return Error{Code::kTampered, std::string(what) + ": " + why};
}

// Cuts the text up to the next newline off the front; false when there is none.
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
    return Bad("checkpoint", "the size is not a plain decimal number");
  }
  return value;
}

}  // namespace

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
  text.push_back(static_cast<char>(kEd25519));
  text.append(AsText(key));
  const Hash hash = Sha256(text);
  ByteReader in(AsText(hash));
  return in.Get<uint32_t>();
}

std::string FormatVerifierKey(const VerifierKey& key) {
  std::string raw(1, static_cast<char>(kEd25519));
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
  if (!raw || raw.value().size() != 33 || static_cast<uint8_t>(raw.value()[0]) != kEd25519) {
    return Bad("verifier key", "not an Ed25519 key");
  }
  std::memcpy(key.key.data(), raw.value().data() + 1, key.key.size());
  std::array<uint8_t, 4> id;
  StoreBigEndian(key.Id(), id.data());
  if (text.substr(first + 1, second - first - 1) != Hex(id)) {
    return Bad("verifier key", "the key id does not belong to this name and key");
  }
  return key;
}

std::string CheckpointText(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + Base64(checkpoint.root) +
         "\n";
}

std::string SignCheckpoint(const Checkpoint& checkpoint, const VerifierKey& key,
                           const certs::SecretBytes& secret) {
  const std::string text = CheckpointText(checkpoint);
  std::array<uint8_t, 4 + sizeof(Signature)> line;
  StoreBigEndian(key.Id(), line.data());
  crypto_sign_detached(line.data() + 4, nullptr, AsBytes(text).data(), text.size(), secret.data());
  return text + "\n" + std::string(kDash) + key.name + " " + Base64(line) + "\n";
}

Result<Checkpoint> OpenCheckpoint(std::string_view note, const VerifierKey& key) {
  if (note.size() > kMaxNote) return Bad("checkpoint", "longer than 64 KiB");
  const size_t blank = note.find("\n\n");
  if (blank == std::string_view::npos) return Bad("checkpoint", "no signature");
  const std::string_view text = note.substr(0, blank + 1);
  std::string_view rest = note.substr(blank + 2);
  bool signed_by_key = false;
  std::string_view line;
  size_t signatures = 0;
  while (TakeLine(rest, line)) {
    if (++signatures > kMaxNoteSignatures) return Bad("checkpoint", "more than 16 signatures");
    if (!line.starts_with(kDash)) return Bad("checkpoint", "a signature line is malformed");
    line.remove_prefix(kDash.size());
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) return Bad("checkpoint", "a signature line is malformed");
    auto raw = FromBase64(line.substr(space + 1), 4096);
    if (!raw || raw.value().size() < 5) return Bad("checkpoint", "a signature is not valid base64");
    ByteReader in(raw.value());
    if (line.substr(0, space) != key.name || in.Get<uint32_t>() != key.Id()) continue;
    if (in.left() != sizeof(Signature) ||
        crypto_sign_verify_detached(AsBytes(in.Take(in.left())).data(), AsBytes(text).data(),
                                    text.size(), key.key.data()) != 0) {
      return Bad("checkpoint", "the signature of `" + key.name + "` is wrong");
    }
    signed_by_key = true;
  }
  if (!rest.empty()) return Bad("checkpoint", "bytes after the last signature line");
  if (!signed_by_key) return Bad("checkpoint", "not signed by the key of `" + key.name + "`");

  std::string_view body = text;
  std::string_view origin, size, root;
  if (!TakeLine(body, origin) || !TakeLine(body, size) || !TakeLine(body, root)) {
    return Bad("checkpoint", "fewer than three lines");
  }
  if (origin != key.name) return Bad("checkpoint", "it belongs to another log");
  Checkpoint checkpoint;
  checkpoint.origin = origin;
  BOOST_OUTCOME_TRY(checkpoint.size, ParseDecimal(size));
  auto raw_root = FromBase64(root, 64);
  if (!raw_root || raw_root.value().size() != checkpoint.root.size()) {
    return Bad("checkpoint", "the root is not a base64 SHA-256");
  }
  std::memcpy(checkpoint.root.data(), raw_root.value().data(), checkpoint.root.size());
  return checkpoint;
}

}  // namespace portcullis::audit
