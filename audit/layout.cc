#include "audit/layout.h"

#include <sodium.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "audit/daykey.h"
#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/signer.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxKeyText = 4096;
constexpr const char* kStoreKeyType = "audit-store";
constexpr const char* kStoreKeyName = "store.key";
constexpr const char* kAuditorType = "x25519";
constexpr const char* kAuditorPublicType = "x25519-public";

Result<void> NewKey(const std::filesystem::path& path, const char* type) {
  const certs::SecretBytes key = certs::SecretBytes::Random(32);
  if (auto done = certs::WriteKeyFile(path, type, key.bytes()); !done) return FromCerts(done.error());
  return Ok();
}

Result<certs::SecretBytes> ReadStoreKey(const std::filesystem::path& path) {
  auto key = certs::ReadKeyFile(path, kStoreKeyType, kKeySize);
  if (!key) return FromCerts(key.error());
  return std::move(key.value());
}

constexpr std::string_view kAuditorsHeader = "portcullis audit auditors v2\n";
constexpr size_t kMaxPublicFile = 64 << 10;

// Copies a file of verifier keys after a look at it.
Result<void> CopyVerifierKeys(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (from.empty()) return Ok();
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(from, kMaxPublicFile));
  auto keys = ParseVerifierKeys(text);
  if (!keys) return Error{keys.error().code, "`" + from.string() + "`: " + keys.error().message};
  return ReplaceFile(to, text, true);
}

}  // namespace

Result<void> InitLog(const InitOptions& options) {
  certs::InitSodium();
  if (!ValidOrigin(options.origin)) {
    return Error{Code::kInvalidArgument,
                 "the origin `" + options.origin +
                     "` must be 1 to 64 of a-z, 0-9, `.`, `-`, `_`, `:` and `/`, like `example.org/audit`"};
  }
  const LogLayout layout(options.log_folder);
  const KeysLayout keys(options.keys_folder);
  std::error_code ignored;
  if (std::filesystem::exists(layout.public_key(), ignored)) {
    return Error{Code::kExists, "`" + layout.root.string() + "` holds a log already"};
  }
  BOOST_OUTCOME_TRY(const AuditorPolicy auditors, ReadAuditorsFile(options.auditor_public));
  for (const auto& folder : {options.log_folder, options.keys_folder}) {
    std::filesystem::create_directories(folder.parent_path().empty() ? "." : folder.parent_path(), ignored);
    BOOST_OUTCOME_TRY(MakeFolder(folder));
  }
  BOOST_OUTCOME_TRY(NewKey(keys.log_key(), "ed25519-seed"));
  if (!certs::CredentialPath(kStoreKeyName)) {
    BOOST_OUTCOME_TRY(NewKey(options.keys_folder / kStoreKeyName, kStoreKeyType));
  }
  BOOST_OUTCOME_TRY(CopyVerifierKeys(options.officers, keys.officers()));
  BOOST_OUTCOME_TRY(CopyVerifierKeys(options.witnesses, keys.witnesses()));
  BOOST_OUTCOME_TRY(InstallAuditors(options.keys_folder, options.origin, auditors));
  BOOST_OUTCOME_TRY(OpenKeyStore(options.keys_folder, KeyStore::Mode::kCreate));
  return BeginLog(options.log_folder, options.keys_folder, options.origin);
}

Result<void> BeginLog(const std::filesystem::path& log_folder, const std::filesystem::path& keys_folder,
                      const std::string& origin) {
  const LogLayout layout(log_folder);
  BOOST_OUTCOME_TRY(MakeFolder(layout.root));
  BOOST_OUTCOME_TRY(MakeFolder(layout.segments()));
  BOOST_OUTCOME_TRY(Signer::Begin(keys_folder, origin));
  BOOST_OUTCOME_TRY(Signer signer, Signer::Open(keys_folder, origin));
  BOOST_OUTCOME_TRY(const std::string note, signer.Sign({}, EmptyRoot(), {}, nullptr));
  BOOST_OUTCOME_TRY(ReplaceFile(layout.checkpoint(), note, true));
  BOOST_OUTCOME_TRY(ReplaceFile(layout.days(), signer.SignText(DayListText(origin, {})), true));
  return ReplaceFile(layout.public_key(), FormatVerifierKey(signer.key()) + "\n", true);
}

Result<void> InstallAuditors(const std::filesystem::path& keys_folder, const std::string& origin,
                             const AuditorPolicy& policy) {
  certs::SecretBytes secret;
  const KeysLayout keys(keys_folder);
  BOOST_OUTCOME_TRY(const PublicKey key, LoadEd25519(certs::FindKey(keys_folder, "log.key"), secret));
  const std::string text = origin + "\n" + std::string(kAuditorsHeader) + FormatAuditors(policy);
  return ReplaceFile(keys.auditors(), SignNote(text, VerifierKey{origin, key}, secret), true);
}

Result<SignedAuditors> LoadAuditors(const std::filesystem::path& keys_folder, const VerifierKey& log_key) {
  const std::filesystem::path path = KeysLayout(keys_folder).auditors();
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(path, kMaxNote));
  const auto bad = [&path](const std::string& why) {
    return Error{Code::kTampered, "`" + path.string() + "`: " + why};
  };
  const auto note = ParseNote(text);
  const auto by_log = note ? SignedBy(note.value(), log_key) : Result<bool>(note.error());
  if (!by_log) return bad(by_log.error().message);
  const std::string head = log_key.name + "\n" + std::string(kAuditorsHeader);
  if (!by_log.value() || !note.value().text.starts_with(head)) {
    return bad("the auditors are not signed by the log key; `portcullis audit keys --set-auditors` does it");
  }
  auto policy = ParseAuditors(note.value().text.substr(head.size()));
  if (!policy) return bad(policy.error().message);
  return SignedAuditors{std::move(policy.value()), Sha256(note.value().text)};
}

Result<void> MakeAuditorKey(const std::filesystem::path& path) {
  certs::InitSodium();
  AuditorKey public_key;
  certs::SecretBytes secret(crypto_box_SECRETKEYBYTES);
  crypto_box_keypair(public_key.data(), secret.data());
  if (auto done = certs::WriteKeyFile(path, kAuditorType, secret.bytes()); !done) {
    return FromCerts(done.error());
  }
  std::filesystem::path public_path = path;
  public_path += ".pub";
  if (auto done = certs::WritePublicKeyFile(public_path, kAuditorPublicType, public_key); !done) {
    return FromCerts(done.error());
  }
  return Ok();
}

Result<VerifierKey> ReadVerifierKey(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(path, kMaxKeyText));
  auto key = ParseVerifierKey(text);
  if (!key) return Error{Code::kBadFormat, "`" + path.string() + "`: " + key.error().message};
  return key;
}

Result<VerifierKey> ReadLogKey(const std::filesystem::path& log_folder) {
  auto key = ReadVerifierKey(LogLayout(log_folder).public_key());
  if (!key && key.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "`" + log_folder.string() +
                                      "` holds no log (no log.pub); portcullis audit init makes one"};
  }
  return key;
}

Result<certs::SecretBytes> ReadAuditorSecret(const std::filesystem::path& path) {
  auto key = certs::ReadKeyFile(path, kAuditorType, crypto_box_SECRETKEYBYTES);
  if (!key) return FromCerts(key.error());
  return std::move(key.value());
}

std::filesystem::path KeyStorePath(const std::filesystem::path& keys_folder) { return keys_folder / "keystore.db"; }

Result<std::unique_ptr<KeyStore>> OpenKeyStore(const std::filesystem::path& keys_folder,
                                               KeyStore::Mode mode) {
  BOOST_OUTCOME_TRY(auto key, ReadStoreKey(certs::FindKey(keys_folder, kStoreKeyName)));
  return KeyStore::Open(KeyStorePath(keys_folder), std::move(key), mode);
}

Result<bool> ChangeStoreKey(const std::filesystem::path& keys_folder, const std::filesystem::path& new_key) {
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(new_key).parent_path();
  const bool in_place = !certs::CredentialPath(kStoreKeyName);
  const auto current = certs::FindKey(keys_folder, kStoreKeyName);
  // The old key is overwritten in the end: by another name it would be the only one.
  if (std::filesystem::equivalent(new_key, current, ignored) ||
      (std::filesystem::equivalent(folder, keys_folder, ignored) && new_key.filename() == kStoreKeyName)) {
    return Error{Code::kInvalidArgument, "`" + new_key.string() + "` is the key in force; name another file for the new one"};
  }
  if (in_place && !OnOneDisk(folder, keys_folder)) {
    return Error{Code::kInvalidArgument, "`" + new_key.string() + "` is to take the place of `" + current.string() +
                                             "`: name a file on the same file system"};
  }
  const bool made = std::filesystem::symlink_status(new_key, ignored).type() == std::filesystem::file_type::not_found;
  if (made) {
    BOOST_OUTCOME_TRY(NewKey(new_key, kStoreKeyType));
    BOOST_OUTCOME_TRY(SyncFolder(folder));
  }
  BOOST_OUTCOME_TRY(auto key, ReadStoreKey(new_key));
  const auto open = OpenKeyStore(keys_folder, KeyStore::Mode::kReadWrite);
  if (open) {
    BOOST_OUTCOME_TRY(open.value()->ChangeRoot(std::move(key)));
  } else if (const auto done = KeyStore::Open(KeyStorePath(keys_folder), std::move(key), KeyStore::Mode::kReadWrite); !done) {
    if (made) std::filesystem::remove(new_key, ignored);
    return open.error();
  }
  // From here on only the new one opens it; what opened it goes, as far as the file system lets one.
  if (!in_place) return false;
  if (const auto size = std::filesystem::file_size(current, ignored); !ignored) (void)OverwriteFile(current, size);
  if (::rename(new_key.c_str(), current.c_str()) != 0) {
    return ErrnoError("the key store is under the new key, which could not be put into", current, errno);
  }
  BOOST_OUTCOME_TRY(SyncFolder(keys_folder));
  return true;
}

Result<AuditorKey> ReadAuditorPublic(const std::filesystem::path& path) {
  auto raw = certs::ReadPublicKeyFile(path, kAuditorPublicType, sizeof(AuditorKey));
  if (!raw) return FromCerts(raw.error());
  AuditorKey key;
  std::copy(raw.value().front().begin(), raw.value().front().end(), key.begin());
  return key;
}

Result<void> MakeOfficerKey(const std::filesystem::path& path, const std::string& name) {
  if (!ValidOrigin(name)) {
    return Error{Code::kInvalidArgument, "the name must be like `example.org/officer-1`, 1 to 64 of a-z 0-9 . - _ / :"};
  }
  BOOST_OUTCOME_TRY(NewKey(path, "ed25519-seed"));
  certs::SecretBytes secret;
  BOOST_OUTCOME_TRY(const PublicKey key, LoadEd25519(path, secret));
  std::filesystem::path public_path = path;
  public_path += ".pub";
  return ReplaceFile(public_path, FormatVerifierKey(VerifierKey{name, key}) + "\n", true);
}

Result<std::vector<VerifierKey>> ReadVerifierKeys(const std::filesystem::path& path) {
  const auto text = ReadFile(path, kMaxPublicFile);
  if (!text && text.error().code == Code::kNotFound) return std::vector<VerifierKey>();
  if (!text) return text.error();
  auto keys = ParseVerifierKeys(text.value());
  if (!keys) return Error{keys.error().code, "`" + path.string() + "`: " + keys.error().message};
  return keys;
}

}  // namespace portcullis::audit
