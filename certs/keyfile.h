// Key files: one line of text, `PORTCULLIS-KEY-V1 <type> <base64> <checksum>`, where <type> is a tag
// such as `ed25519-seed` and <checksum> the first 8 bytes of BLAKE2b-256(type ‖ 0x00 ‖ key) in hex.
// Secret files are created 0600 with O_EXCL|O_NOFOLLOW and refused when another user owns them, when
// group or others have any access, or when they are not regular files. Public files use the same line
// with a type ending in `-public` and may be readable by all. Thread-safe; nothing is cached.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certs/error.h"
#include "certs/secret.h"

namespace portcullis::certs {

inline constexpr size_t kMaxKeyBytes = 4096;

// Fails with kExists when the file is there already: keys are never overwritten.
Result<void> WriteKeyFile(const std::filesystem::path& path, std::string_view type,
                          std::span<const uint8_t> key);
// The key must have the given type and size (in bytes).
Result<SecretBytes> ReadKeyFile(const std::filesystem::path& path, std::string_view type,
                                size_t size);

Result<void> WritePublicKeyFile(const std::filesystem::path& path, std::string_view type,
                                std::span<const uint8_t> key);
// All keys of the type in a file with one key a line; empty lines and lines with # are skipped.
Result<std::vector<std::vector<uint8_t>>> ReadPublicKeyFile(const std::filesystem::path& path,
                                                            std::string_view type, size_t size);

// A whole small secret file (a PEM key, a password) under the same rules for owner and mode.
Result<SecretBytes> ReadSecretFile(const std::filesystem::path& path, size_t max_size);
// Creates a 0600 file with O_EXCL|O_NOFOLLOW, syncs it and its folder.
Result<void> WriteSecretFile(const std::filesystem::path& path, std::span<const uint8_t> content);

// $CREDENTIALS_DIRECTORY/name where systemd passed such a credential.
std::optional<std::filesystem::path> CredentialPath(std::string_view name);
// The credential of that name, otherwise folder/name.
std::filesystem::path FindKey(const std::filesystem::path& folder, std::string_view name);

}  // namespace portcullis::certs
