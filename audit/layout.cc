#include "audit/layout.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>

#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/signer.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxKeyText = 4096;
constexpr off_t kReserveBytes = 1 << 20;
constexpr const char* kStoreKeyType = "audit-store";
constexpr const char* kAuditorType = "x25519";
constexpr const char* kAuditorPublicType = "x25519-public";

Result<void> NewKey(const std::filesystem::path& path, const char* type) {
  const certs::SecretBytes key = certs::SecretBytes::Random(32);
  if (auto done = certs::WriteKeyFile(path, type, key.bytes()); !done) return FromCerts(done.error());
  return Ok();
}

Result<std::vector<AuditorKey>> ReadAuditors(const std::filesystem::path& path) {
  auto raw = certs::ReadPublicKeyFile(path, kAuditorPublicType, sizeof(AuditorKey));
  if (!raw) return FromCerts(raw.error());
  if (raw.value().size() > kMaxAuditors) {
    return Error{Code::kKeys, "`" + path.string() + "` names more than 16 auditors"};
  }
  std::vector<AuditorKey> keys;
  for (const auto& bytes : raw.value()) {
    AuditorKey& key = keys.emplace_back();
    std::copy(bytes.begin(), bytes.end(), key.begin());
  }
  return keys;
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
  std::error_code ignored;
  if (std::filesystem::exists(layout.public_key(), ignored)) {
    return Error{Code::kExists, "`" + layout.root.string() + "` holds a log already"};
  }
  BOOST_OUTCOME_TRY(const auto auditors, ReadAuditors(options.auditor_public));
  for (const auto& folder : {options.log_folder, options.keys_folder}) {
    std::filesystem::create_directories(folder.parent_path().empty() ? "." : folder.parent_path(), ignored);
    BOOST_OUTCOME_TRY(MakeFolder(folder));
  }
  BOOST_OUTCOME_TRY(MakeFolder(layout.segments()));
  BOOST_OUTCOME_TRY(NewKey(options.keys_folder / "log.key", "ed25519-seed"));
  BOOST_OUTCOME_TRY(NewKey(options.keys_folder / "writer.key", "ed25519-seed"));
  BOOST_OUTCOME_TRY(NewKey(options.keys_folder / "store.key", kStoreKeyType));
  BOOST_OUTCOME_TRY(const std::string listed, ReadFile(options.auditor_public, 1 << 20));
  BOOST_OUTCOME_TRY(ReplaceFile(options.keys_folder / "auditors.pub", listed, true));
  BOOST_OUTCOME_TRY(OpenKeyStore(options.keys_folder, KeyStore::Mode::kCreate));
  BOOST_OUTCOME_TRY(Signer::Begin(options.keys_folder, options.origin));
  BOOST_OUTCOME_TRY(Signer signer, Signer::Open(options.keys_folder, options.origin));
  BOOST_OUTCOME_TRY(const std::string note, signer.Sign({}, EmptyRoot()));
  BOOST_OUTCOME_TRY(ReplaceFile(layout.checkpoint(), note, true));
  return ReplaceFile(layout.public_key(), FormatVerifierKey(signer.key()) + "\n", true);
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

Result<std::unique_ptr<KeyStore>> OpenKeyStore(const std::filesystem::path& keys_folder,
                                               KeyStore::Mode mode) {
  auto key = certs::ReadKeyFile(certs::FindKey(keys_folder, "store.key"), kStoreKeyType, kKeySize);
  if (!key) return FromCerts(key.error());
  return KeyStore::Open(keys_folder / "keystore.db", std::move(key.value()), mode);
}

Result<WriterKeys> LoadWriterKeys(const std::filesystem::path& keys_folder) {
  WriterKeys keys;
  BOOST_OUTCOME_TRY(keys.writer_public,
                    LoadEd25519(certs::FindKey(keys_folder, "writer.key"), keys.writer_secret));
  BOOST_OUTCOME_TRY(keys.store, OpenKeyStore(keys_folder, KeyStore::Mode::kReadWrite));
  BOOST_OUTCOME_TRY(keys.auditors, ReadAuditors(keys_folder / "auditors.pub"));
  return keys;
}

Result<void> MakeReserve(const std::filesystem::path& log_folder) {
  const std::filesystem::path path = LogLayout(log_folder).reserve();
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("cannot create", path, errno);
  if (const int error = ::posix_fallocate(fd.get(), 0, kReserveBytes); error != 0) {
    ::unlink(path.c_str());
    return ErrnoError("cannot set space aside in", path, error);
  }
  return Ok();
}

void GiveUpReserve(const std::filesystem::path& log_folder) {
  ::unlink(LogLayout(log_folder).reserve().c_str());
}

}  // namespace portcullis::audit
