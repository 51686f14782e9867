// Where things lie: the log's folder, the keys' folder, and their creation. FILES in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "audit/auditors.h"
#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/note.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "audit/walk.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct LogLayout {
  explicit LogLayout(std::filesystem::path log_folder) : root(std::move(log_folder)) {}
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path public_key() const { return root / "log.pub"; }
  std::filesystem::path checkpoint() const { return root / "checkpoint"; }
  std::filesystem::path witnessed() const { return root / "witnessed"; }
  std::filesystem::path predecessor() const { return root / "predecessor"; }
  std::filesystem::path days() const { return root / "days"; }
  std::filesystem::path reserve() const { return root / "reserve"; }
  std::filesystem::path acts_reserve() const { return root / "reserve.acts"; }
  std::filesystem::path segments() const { return Within(root) / "segments"; }
  std::filesystem::path tiles() const { return Within(root) / "tile"; }

  std::filesystem::path root;
};

struct KeysLayout {
  explicit KeysLayout(std::filesystem::path keys_folder) : root(std::move(keys_folder)) {}
  std::filesystem::path auditors() const { return root / "auditors"; }
  std::filesystem::path officers() const { return root / "officers.pub"; }
  std::filesystem::path witnesses() const { return root / "witnesses.pub"; }
  std::filesystem::path witnessed() const { return root / "witnessed"; }
  std::filesystem::path override_note() const { return root / "override.note"; }
  std::filesystem::path log_key() const { return root / "log.key"; }

  std::filesystem::path root;
};

struct InitOptions {
  std::filesystem::path log_folder;
  std::filesystem::path keys_folder;
  std::string origin;
  std::filesystem::path auditor_public;  // see ReadAuditorsFile
  std::filesystem::path officers = {};   // verifier keys of who may override a refused start; optional
  std::filesystem::path witnesses = {};  // verifier keys of witnesses; optional
};
// Creates both folders, all keys, the signer's state and the checkpoint of the empty log. Refuses when
// any of it exists.
Result<void> InitLog(const InitOptions& options);
// The log's part of it, under the log.key that is there: signer's state, log.pub, empty checkpoint.
Result<void> BeginLog(const std::filesystem::path& log_folder, const std::filesystem::path& keys_folder,
                      const std::string& origin);

// An auditor's key pair: `path` (secret, 0600) and `path`.pub.
Result<void> MakeAuditorKey(const std::filesystem::path& path);
// An officer's: an Ed25519 seed and a verifier key.
Result<void> MakeOfficerKey(const std::filesystem::path& path, const std::string& name);
Result<certs::SecretBytes> ReadAuditorSecret(const std::filesystem::path& path);
// One public key of an auditor.
Result<AuditorKey> ReadAuditorPublic(const std::filesystem::path& path);

Result<VerifierKey> ReadLogKey(const std::filesystem::path& log_folder);
Result<VerifierKey> ReadVerifierKey(const std::filesystem::path& path);
// None where the file is missing.
Result<std::vector<VerifierKey>> ReadVerifierKeys(const std::filesystem::path& path);
// Where it lies; read from beside the store, for its size and its disk.
std::filesystem::path KeyStorePath(const std::filesystem::path& keys_folder);
Result<std::unique_ptr<KeyStore>> OpenKeyStore(const std::filesystem::path& keys_folder,
                                               KeyStore::Mode mode);
// Puts the key store under the K_store in the file `new_key`, which is made where it is not there, and that file in the
// place of the folder's `store.key`: true; false where K_store is a credential, which is the caller's to replace.
// With auditd stopped. What was cut off is finished by a call with the same file.
Result<bool> ChangeStoreKey(const std::filesystem::path& keys_folder, const std::filesystem::path& new_key);

// The auditors in force, as the log key signed them.
struct SignedAuditors {
  AuditorPolicy policy;
  Hash hash{};  // SHA-256 of the signed text
};
Result<SignedAuditors> LoadAuditors(const std::filesystem::path& keys_folder, const VerifierKey& log_key);
// Replaces them; in force with auditd's next start.
Result<void> InstallAuditors(const std::filesystem::path& keys_folder, const std::string& origin,
                             const AuditorPolicy& policy);

}  // namespace portcullis::audit
