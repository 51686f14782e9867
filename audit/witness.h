// A witness of other logs, c2sp.org/tlog-witness: keeps for every log it knows the largest checkpoint
// it has cosigned, durable before the cosignature goes out, and cosigns only what is proved to be
// consistent with it. So a log that is rolled back, forked or shown in two versions is found out by
// whoever holds the witness's memory. No network here: bytes in, status and bytes out; the HTTP server
// and the offline way by file are in gateway/cli/witness.cc. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "certs/secret.h"

namespace portcullis::audit {

// The body of add-checkpoint.
struct AddCheckpoint {
  uint64_t old_size = 0;
  std::vector<Hash> proof;
  std::string checkpoint;  // a signed note
};
std::string FormatAddCheckpoint(const AddCheckpoint& request);
Result<AddCheckpoint> ParseAddCheckpoint(std::string_view body);

struct WitnessReply {
  int status = 200;           // of HTTP
  std::string content_type;
  std::string body;
};

class Witness {
 public:
  // `state_folder` holds one file per log; it is locked, so that no second witness shares it.
  static Result<Witness> Open(VerifierKey key, certs::SecretBytes secret,
                              std::filesystem::path state_folder, std::vector<VerifierKey> logs);

  // `now` in seconds since 1970.
  WitnessReply Add(std::string_view body, uint64_t now);
  // The last cosigned checkpoint of a log with our cosignature; kNotFound.
  Result<std::string> Latest(const std::string& origin) const;

  const VerifierKey& key() const { return key_; }

 private:
  Witness() = default;
  std::filesystem::path StatePath(const std::string& origin) const;

  VerifierKey key_;
  certs::SecretBytes secret_;
  std::filesystem::path folder_;
  Fd lock_;
  std::map<std::string, std::vector<VerifierKey>> logs_;  // by origin
  std::map<std::string, std::string> latest_;             // note with our cosignature
};

// A witness's key pair: `path` (Ed25519 seed, 0600) and `path`.pub (verifier key of type 0x04).
Result<void> MakeWitnessKey(const std::filesystem::path& path, const std::string& name);
struct WitnessKey {
  VerifierKey key;
  certs::SecretBytes secret;
};
Result<WitnessKey> LoadWitnessKey(const std::filesystem::path& path);

}  // namespace portcullis::audit
