// The table of keys that are known by how they begin. A new one is a line in
// secret_prefix_table.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "policy/classify/detector.h"

namespace portcullis::policy {

enum class KeyAlphabet : uint8_t { kAlnum, kUpperDigit, kHex, kBase64Url, kDotted, kBase64 };

struct SecretPrefix {
  std::string_view prefix;
  KeyAlphabet alphabet;
  uint16_t min, max;  // units after the prefix
  Label label;
};

extern const std::span<const SecretPrefix> kSecretPrefixTable;
extern const std::span<const std::string_view> kSecretPrefixLiterals;

}  // namespace portcullis::policy
