// The policy in force: a folder with policy.cedar, schema.cedarschema and entities.json, loaded
// whole, strictly validated, or not at all; immutable afterwards and shared by all threads.
// Its hash covers the bytes of every file, its revision is the start of that hash.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "gateway/error.h"
#include "policy/cedar/cedar.h"

namespace portcullis::gateway {

struct PolicySnapshot {
  policy::cedar::PolicySet policies;
  policy::cedar::Entities entities;
  std::array<uint8_t, 32> hash{};  // SHA-256
  std::string revision;            // "sha256:" + 12 hexadecimal digits

  static Result<std::shared_ptr<const PolicySnapshot>> Load(const std::filesystem::path& folder);
};

}  // namespace portcullis::gateway
