#include "audit/tpm_counter.h"

#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>

#include "audit/bytes.h"
#include "audit/merkle.h"
#include "audit/tpm_link.h"
#include "certs/keyfile.h"
#include "certs/secret.h"

namespace portcullis::audit {
namespace {

constexpr const char* kAuthFile = "tpm.key";
constexpr const char* kAuthType = "tpm-auth";
constexpr size_t kAuthSize = 32;
constexpr const char* kOwnerFile = "tpm-owner.password";
constexpr size_t kMaxOwnerPassword = 32;  // what every TPM takes
constexpr uint16_t kCounterSize = 8;
constexpr std::string_view kBinding = "portcullis audit counter v1\n";
// Written at once and not only at an orderly shutdown: an orderly counter jumps after a power cut.
constexpr TPMA_NV kAttributes = TPMA_NV_AUTHWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA |
                                (TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT);

void SetAuth(TPM2B_AUTH& auth, std::span<const uint8_t> value) {
  auth.size = static_cast<UINT16>(std::min(value.size(), sizeof auth.buffer));
  std::copy_n(value.begin(), auth.size, auth.buffer);
}

// An authorisation value that does not outlive its use.
struct Auth {
  explicit Auth(std::span<const uint8_t> value) { SetAuth(tpm, value); }
  ~Auth() { sodium_memzero(&tpm, sizeof tpm); }
  Auth(const Auth&) = delete;
  Auth& operator=(const Auth&) = delete;
  TPM2B_AUTH tpm{};
};

// The owner's authorisation, in the connection's memory no longer than it is used.
struct OwnerAuth {
  OwnerAuth(ESYS_CONTEXT* given, const certs::SecretBytes& password) : esys(given) {
    const Auth auth(password.bytes());
    Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &auth.tpm);
  }
  ~OwnerAuth() {
    const TPM2B_AUTH none{};  // copied as a whole over what was there
    Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &none);
  }
  OwnerAuth(const OwnerAuth&) = delete;
  OwnerAuth& operator=(const OwnerAuth&) = delete;
  ESYS_CONTEXT* const esys;
};

Result<certs::SecretBytes> OwnerPassword(const std::filesystem::path& keys_folder) {
  auto password = certs::ReadSecretFile(certs::FindKey(keys_folder, kOwnerFile), kMaxOwnerPassword + 1);
  if (!password && password.error().code == certs::Code::kNotFound) return certs::SecretBytes();
  if (!password) return FromCerts(password.error());
  auto& bytes = password.value();
  size_t size = bytes.size();
  if (size > 0 && bytes.data()[size - 1] == '\n') --size;
  certs::SecretBytes trimmed(size);
  std::copy_n(bytes.data(), size, trimmed.data());
  return trimmed;
}

}  // namespace

// With the index, once it was looked at.
struct TpmCounter::Connection {
  std::unique_ptr<TpmLink> link;
  ESYS_TR index = ESYS_TR_NONE;
  EsysPtr<TPM2B_NV_PUBLIC> about = nullptr;
  bool authorised = false;  // the index has its authorisation value

  ESYS_CONTEXT* esys() const { return link->esys(); }
};

namespace {

Result<uint64_t> ReadValue(ESYS_CONTEXT* esys, ESYS_TR index, const TpmHandle& session) {
  TPM2B_MAX_NV_BUFFER* raw = nullptr;
  const TSS2_RC rc = Esys_NV_Read(esys, index, index, session.get(), ESYS_TR_NONE, ESYS_TR_NONE, kCounterSize, 0, &raw);
  const EsysPtr<TPM2B_MAX_NV_BUFFER> data(raw);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("read the counter", rc);
  if (data->size != kCounterSize) return Error{Code::kCounter, "TPM: the counter is not of 8 bytes"};
  return ByteReader(AsText({data->buffer, kCounterSize})).Get<uint64_t>();
}

Hash BindingOf(const VerifierKey& log) { return Sha256(std::string(kBinding) + FormatVerifierKey(log)); }

bool LooksLikeOurs(const TPMS_NV_PUBLIC& about) {
  return (about.attributes & ~static_cast<TPMA_NV>(TPMA_NV_WRITTEN)) == kAttributes && about.nameAlg == TPM2_ALG_SHA256 &&
         about.dataSize == kCounterSize && about.authPolicy.size == sizeof(Hash);
}

}  // namespace

TpmCounter::TpmCounter(TpmOptions options) : options_(std::move(options)) {}
TpmCounter::~TpmCounter() = default;

Result<std::unique_ptr<TpmCounter>> TpmCounter::Open(TpmOptions options) {
  if (options.index < kFirstTpmIndex || options.index > kLastTpmIndex) {
    return Error{Code::kInvalidArgument, "the index of the TPM's counter must be from 0x01800000 to 0x01bfffff"};
  }
  std::unique_ptr<TpmCounter> counter(new TpmCounter(std::move(options)));
  BOOST_OUTCOME_TRY(counter->Connect());
  return counter;
}

std::string TpmCounter::Words() const {
  char text[32];
  std::snprintf(text, sizeof text, "TPM counter 0x%08x", options_.index);
  return text;
}

Result<TpmCounter::Connection*> TpmCounter::Connect() {
  if (connection_ == nullptr) {
    BOOST_OUTCOME_TRY(auto link, TpmLink::Open(options_.tcti));
    connection_ = std::make_unique<Connection>();
    connection_->link = std::move(link);
  }
  return connection_.get();
}

// What stands at the index now.
Result<MonotonicCounter::Found> TpmCounter::Look() {
  BOOST_OUTCOME_TRY(Connection * tpm, Connect());
  if (tpm->index != ESYS_TR_NONE) Esys_TR_Close(tpm->esys(), &tpm->index);
  tpm->index = ESYS_TR_NONE;
  tpm->about.reset();
  tpm->authorised = false;
  TSS2_RC rc = Esys_TR_FromTPMPublic(tpm->esys(), options_.index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tpm->index);
  if (IsTpmCode(rc, TPM2_RC_HANDLE)) return Found::kMissing;
  TPM2B_NV_PUBLIC* about = nullptr;
  TPM2B_NAME* name = nullptr;
  if (rc == TSS2_RC_SUCCESS) {
    rc = Esys_NV_ReadPublic(tpm->esys(), tpm->index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &about, &name);
  }
  tpm->about.reset(about);
  const EsysPtr<TPM2B_NAME> named(name);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("look at the counter", rc);
  const TPMS_NV_PUBLIC& area = tpm->about->nvPublic;
  const Hash binding = BindingOf(options_.log);
  if (!LooksLikeOurs(area) || !std::equal(binding.begin(), binding.end(), area.authPolicy.buffer) ||
      named->size != sizeof(UINT16) + sizeof(Hash)) {
    return Found::kForeign;
  }
  std::copy_n(named->name + sizeof(UINT16), sizeof(Hash), name_.begin());
  return Found::kOurs;
}

Result<MonotonicCounter::Found> TpmCounter::Find() {
  auto found = Look();
  if (!found) connection_.reset();
  return found;
}

// The connection, with the index and its authorisation.
Result<TpmCounter::Connection*> TpmCounter::Ours() {
  BOOST_OUTCOME_TRY(Connection * tpm, Connect());
  if (tpm->authorised) return tpm;
  BOOST_OUTCOME_TRY(const Found found, Look());
  if (found != Found::kOurs) {
    return Error{Code::kCounter, Words() + (found == Found::kMissing ? " does not exist" : " is another one's")};
  }
  const auto key = certs::ReadKeyFile(certs::FindKey(options_.keys_folder, kAuthFile), kAuthType, kAuthSize);
  if (!key) return FromCerts(key.error());
  const Auth auth(key.value().bytes());
  const TSS2_RC rc = Esys_TR_SetAuth(tpm->esys(), tpm->index, &auth.tpm);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("use tpm.key", rc);
  tpm->authorised = true;
  return tpm;
}

Result<uint64_t> TpmCounter::Read() {
  const auto read = [this]() -> Result<uint64_t> {
    BOOST_OUTCOME_TRY(Connection * tpm, Ours());
    BOOST_OUTCOME_TRY(const auto session, StartSession(tpm->esys()));
    return ReadValue(tpm->esys(), tpm->index, *session);
  };
  auto value = read();
  if (!value) connection_.reset();
  return value;
}

Result<uint64_t> TpmCounter::Increment() {
  const auto increment = [this]() -> Result<uint64_t> {
    BOOST_OUTCOME_TRY(Connection * tpm, Ours());
    BOOST_OUTCOME_TRY(const auto session, StartSession(tpm->esys()));
    const TSS2_RC rc = Esys_NV_Increment(tpm->esys(), tpm->index, tpm->index, session->get(), ESYS_TR_NONE, ESYS_TR_NONE);
    if (rc != TSS2_RC_SUCCESS) return FromTpm("increment the counter", rc);
    return ReadValue(tpm->esys(), tpm->index, *session);
  };
  auto value = increment();
  if (!value) connection_.reset();
  return value;
}

// The index with its key; what stands there is removed, where it was made by an audit log.
Result<void> TpmCounter::Define() {
  BOOST_OUTCOME_TRY(const Found found, Look());
  if (found == Found::kOurs) return Ok();
  BOOST_OUTCOME_TRY(const certs::SecretBytes owner, OwnerPassword(options_.keys_folder));
  Connection* tpm = connection_.get();
  const OwnerAuth as_owner(tpm->esys(), owner);
  if (found == Found::kForeign) {
    if (!LooksLikeOurs(tpm->about->nvPublic)) {
      return Error{Code::kExists, Words() + " was not made by an audit log: choose a free --tpm-index"};
    }
    BOOST_OUTCOME_TRY(const auto session, StartSession(tpm->esys()));
    const TSS2_RC rc = Esys_NV_UndefineSpace(tpm->esys(), ESYS_TR_RH_OWNER, tpm->index, session->get(), ESYS_TR_NONE,
                                             ESYS_TR_NONE);
    if (rc != TSS2_RC_SUCCESS) return FromTpm("remove the counter of the log before (tpm-owner.password?)", rc);
    tpm->index = ESYS_TR_NONE;
    tpm->about.reset();
  }
  const std::filesystem::path path = certs::FindKey(options_.keys_folder, kAuthFile);
  auto key = certs::ReadKeyFile(path, kAuthType, kAuthSize);
  if (!key && key.error().code == certs::Code::kNotFound) {
    const auto made = certs::WriteKeyFile(path, kAuthType, certs::SecretBytes::Random(kAuthSize).bytes());
    if (!made) return FromCerts(made.error());
    key = certs::ReadKeyFile(path, kAuthType, kAuthSize);
  }
  if (!key) return FromCerts(key.error());
  TPM2B_NV_PUBLIC about{};
  about.nvPublic.nvIndex = options_.index;
  about.nvPublic.nameAlg = TPM2_ALG_SHA256;
  about.nvPublic.attributes = kAttributes;
  about.nvPublic.dataSize = kCounterSize;
  const Hash binding = BindingOf(options_.log);
  about.nvPublic.authPolicy.size = sizeof(Hash);
  std::copy(binding.begin(), binding.end(), about.nvPublic.authPolicy.buffer);
  const Auth auth(key.value().bytes());
  BOOST_OUTCOME_TRY(const auto salt, MakeSaltKey(tpm->esys()));
  BOOST_OUTCOME_TRY(const auto session, StartSession(tpm->esys(), salt->get()));
  ESYS_TR made = ESYS_TR_NONE;
  const TSS2_RC rc = Esys_NV_DefineSpace(tpm->esys(), ESYS_TR_RH_OWNER, session->get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                         &auth.tpm, &about, &made);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("make the counter (tpm-owner.password?)", rc);
  Esys_TR_Close(tpm->esys(), &made);
  return Ok();
}

Result<void> TpmCounter::Create() {
  auto done = Define();
  if (!done) {
    connection_.reset();
    return done;
  }
  // It has no value, and not yet its name, before the first increment.
  BOOST_OUTCOME_TRY(const Connection* tpm, Ours());
  if ((tpm->about->nvPublic.attributes & TPMA_NV_WRITTEN) == 0) {
    BOOST_OUTCOME_TRY(Increment());
    BOOST_OUTCOME_TRY(Look());
  }
  return Ok();
}

}  // namespace portcullis::audit
