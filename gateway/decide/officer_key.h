// Ed25519 keys of officers and of the revision store, in key files (certs/keyfile.h): the seed is
// the secret and never leaves secret memory; signatures are made where the key lies. The command
// line and the gateway share this. Thread-safe. Failure: kConfig with the file and what is wrong.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "gateway/error.h"
#include "policy/revise/statement.h"

namespace portcullis::gateway {

inline constexpr std::string_view kOfficerKeyType = "policy-officer";
inline constexpr std::string_view kOfficerPublicType = "policy-officer-public";
inline constexpr std::string_view kSealingKeyType = "policy-store";

Result<std::shared_ptr<const policy::revise::Signer>> LoadSigner(const std::filesystem::path& file,
                                                                 std::string_view type);
// FILE and FILE.pub, which must not be there yet.
Result<policy::revise::PublicKey> MakeOfficerKey(const std::filesystem::path& file);
// The one key in a public key file.
Result<policy::revise::PublicKey> ReadOfficerPublicKey(const std::filesystem::path& file);
// Nothing happens when the file is there already.
Result<void> MakeSealingKey(const std::filesystem::path& file);

}  // namespace portcullis::gateway
