// Where things lie: the log's folder, the keys' folder, and their creation. FILES in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/note.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct LogLayout {
  explicit LogLayout(std::filesystem::path log_folder) : root(std::move(log_folder)) {}
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path public_key() const { return root / "log.pub"; }
  std::filesystem::path checkpoint() const { return root / "checkpoint"; }
  std::filesystem::path reserve() const { return root / "reserve"; }
  std::filesystem::path segments() const { return root / "segments"; }

  std::filesystem::path root;
};

struct InitOptions {
  std::filesystem::path log_folder;
  std::filesystem::path keys_folder;
  std::string origin;
  std::filesystem::path auditor_public;  // one key a line
};
// Creates both folders, all keys, the signer's state and the checkpoint of the empty log. Refuses when
// any of it exists.
Result<void> InitLog(const InitOptions& options);

// An auditor's key pair: `path` (secret, 0600) and `path`.pub.
Result<void> MakeAuditorKey(const std::filesystem::path& path);

Result<VerifierKey> ReadLogKey(const std::filesystem::path& log_folder);
Result<VerifierKey> ReadVerifierKey(const std::filesystem::path& path);
Result<certs::SecretBytes> ReadAuditorSecret(const std::filesystem::path& path);
Result<std::unique_ptr<KeyStore>> OpenKeyStore(const std::filesystem::path& keys_folder,
                                               KeyStore::Mode mode);

struct WriterKeys {
  PublicKey writer_public{};
  certs::SecretBytes writer_secret;
  std::unique_ptr<KeyStore> store;
  std::vector<AuditorKey> auditors;
};
Result<WriterKeys> LoadWriterKeys(const std::filesystem::path& keys_folder);

// Space set aside so that STOP can be written on a full disk.
Result<void> MakeReserve(const std::filesystem::path& log_folder);
void GiveUpReserve(const std::filesystem::path& log_folder);

}  // namespace portcullis::audit
