// Builds SSL_CTX objects from files. A context is complete before it replaces the last one: every
// step that fails ends the attempt with a message that names the file.
#include "gateway/listen/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

#include "certs/keyfile.h"

namespace portcullis::gateway {
namespace {

constexpr size_t kMaxPem = 1 << 20;
constexpr int kVerifyDepth = 3;

using Digest = std::array<unsigned char, 32>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

Error Trouble(Code code, std::string message) {
  ERR_clear_error();
  return Error{code, std::move(message)};
}

Result<std::string> ReadPublicFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.empty()) {
    return Trouble(Code::kTls, "cannot read `" + path.string() + "`: a PEM file is expected");
  }
  if (text.size() > kMaxPem) return Trouble(Code::kTls, "`" + path.string() + "` exceeds 1 MiB");
  return text;
}

Result<std::vector<X509Ptr>> ReadCertificates(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const std::string text, ReadPublicFile(path));
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate, X509_free);
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !ended) {
    return Trouble(Code::kTls, "`" + path.string() + "` does not hold PEM certificates only");
  }
  return certificates;
}

// Keys are never encrypted here: at rest they are protected by mode 0600 or a systemd credential.
int NoPassphrase(char*, int, int, void*) { return -1; }

Result<void> LoadKeyPair(SSL_CTX* context, const TlsOptions& options) {
  BOOST_OUTCOME_TRY(const auto chain, ReadCertificates(options.chain_file));
  const std::string chain_name = "`" + options.chain_file.string() + "`";
  if (X509_cmp_current_time(X509_get0_notAfter(chain.front().get())) <= 0) {
    return Trouble(Code::kTls, "the certificate in " + chain_name + " has expired: issue a new one");
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return Trouble(Code::kTls, "the certificate in " + chain_name + " is not usable for TLS");
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return Trouble(Code::kTls, "the chain in " + chain_name + " is not usable for TLS");
    }
  }
  const std::string key_name = "`" + options.key_file.string() + "`";
  auto secret = certs::ReadSecretFile(options.key_file, kMaxPem);
  if (!secret) return Trouble(Code::kTls, secret.error().message);
  const BioPtr bio(BIO_new_mem_buf(secret.value().data(), static_cast<int>(secret.value().size())),
                   BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr), EVP_PKEY_free);
  if (!key) return Trouble(Code::kTls, key_name + " is not an unencrypted PEM private key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Trouble(Code::kTls, "the key in " + key_name + " does not belong to the certificate in " +
                                   chain_name);
  }
  return boost::outcome_v2::success();
}

// The CAs whose leaves a listener accepts, kept beside the context for the verify callback.
using Issuers = std::vector<Digest>;

void FreeIssuers(void*, void* issuers, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Issuers*>(issuers);
}
int IssuersIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeIssuers);
  return index;
}

bool IsAllowedIssuer(const Issuers& issuers, const X509* issuer) {
  Digest digest{};
  unsigned size = 0;
  if (X509_digest(issuer, EVP_sha256(), digest.data(), &size) != 1) return false;
  return std::find(issuers.begin(), issuers.end(), digest) != issuers.end();
}

bool HasAllowedIssuer(const SSL_CTX& context, X509_STORE_CTX& store) {
  const auto* const issuers =
      static_cast<Issuers*>(SSL_CTX_get_ex_data(&context, IssuersIndex()));
  if (issuers == nullptr) return true;
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(&store);
  return sk_X509_num(chain) >= 2 && IsAllowedIssuer(*issuers, sk_X509_value(chain, 1));
}

// Called by OpenSSL for every certificate of the built chain, the leaf last.
int VerifyIssuer(int ok, X509_STORE_CTX* store) {
  if (ok != 1 || X509_STORE_CTX_get_error_depth(store) != 0) return ok;
  const auto* const ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (HasAllowedIssuer(*SSL_get_SSL_CTX(ssl), *store)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

Result<void> AddRevocations(X509_STORE* store, const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const std::string text, ReadPublicFile(path));
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  int count = 0;
  while (X509_CRL* crl = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    const bool expired = X509_CRL_get0_nextUpdate(crl) == nullptr ||
                         X509_cmp_current_time(X509_CRL_get0_nextUpdate(crl)) <= 0;
    const bool added = X509_STORE_add_crl(store, crl) == 1;
    X509_CRL_free(crl);
    if (expired) {
      return Trouble(Code::kTls, "`" + path.string() + "` holds an expired CRL: make a new one");
    }
    if (!added) return Trouble(Code::kTls, "a CRL of `" + path.string() + "` is not usable");
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return Trouble(Code::kTls, "`" + path.string() + "` does not hold PEM CRLs");
  return boost::outcome_v2::success();
}

Result<void> LoadClientTrust(SSL_CTX* context, const TlsOptions& options) {
  if (options.client_crl_file.empty()) {
    return Trouble(Code::kConfig, "client certificates need a CRL file beside the CA file");
  }
  BOOST_OUTCOME_TRY(const auto roots, ReadCertificates(options.client_ca_file));
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const X509Ptr& root : roots) {
    if (X509_STORE_add_cert(store, root.get()) != 1 ||
        SSL_CTX_add_client_CA(context, root.get()) != 1) {
      return Trouble(Code::kTls, "a CA of `" + options.client_ca_file.string() + "` is not usable");
    }
  }
  BOOST_OUTCOME_TRY(AddRevocations(store, options.client_crl_file));
  X509_STORE_set_flags(store,
                       X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_X509_STRICT);
  if (!options.client_issuer_file.empty()) {
    BOOST_OUTCOME_TRY(const auto cas, ReadCertificates(options.client_issuer_file));
    auto issuers = std::make_unique<Issuers>();
    for (const X509Ptr& ca : cas) {
      Digest digest{};
      unsigned size = 0;
      if (X509_digest(ca.get(), EVP_sha256(), digest.data(), &size) != 1) {
        return Trouble(Code::kTls, "cannot hash a CA of `" + options.client_issuer_file.string() + "`");
      }
      issuers->push_back(digest);
    }
    if (SSL_CTX_set_ex_data(context, IssuersIndex(), issuers.get()) != 1) {
      return Trouble(Code::kTls, "out of memory for TLS");
    }
    (void)issuers.release();
  }
  const int required = options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, VerifyIssuer);
  SSL_CTX_set_verify_depth(context, kVerifyDepth);
  return boost::outcome_v2::success();
}

// A client that speaks only something else is told so (RFC 7301), never guessed at (ALPACA).
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned offered_size, void*) {
  constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned i = 0; i < offered_size; i += offered[i] + 1u) {
    if (offered[i] == kHttp11.size() && i + 1 + kHttp11.size() <= offered_size &&
        std::memcmp(offered + i + 1, kHttp11.data(), kHttp11.size()) == 0) {
      *out = offered + i + 1;
      *out_size = offered[i];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void> SetProtocol(SSL_CTX* context, const TlsOptions& options) {
  if (options.require_pq && !PostQuantumAvailable()) {
    return Trouble(Code::kConfig, std::string("require_pq: X25519MLKEM768 is not available in ") +
                                      OpenSSL_version(OPENSSL_VERSION) + "; it needs OpenSSL 3.5");
  }
  const char* const groups = options.require_pq       ? "X25519MLKEM768"
                             : PostQuantumAvailable() ? "X25519MLKEM768:X25519:P-256"
                                                      : "X25519:P-256";
  const int lowest = options.allow_tls12 && !options.require_pq ? TLS1_2_VERSION : TLS1_3_VERSION;
  const bool ok =
      SSL_CTX_set_min_proto_version(context, lowest) == 1 &&
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
      SSL_CTX_set1_groups_list(context, groups) == 1 &&
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
      SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                                        "TLS_AES_128_GCM_SHA256") == 1 &&
      SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
  if (!ok) return Trouble(Code::kTls, "OpenSSL refuses the TLS settings");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context, SelectProtocol, nullptr);
  return boost::outcome_v2::success();
}

Result<TlsContext::SnapshotPtr> Build(const TlsOptions& options) {
  TlsContext::SnapshotPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Trouble(Code::kTls, "OpenSSL gives no context");
  BOOST_OUTCOME_TRY(SetProtocol(context.get(), options));
  BOOST_OUTCOME_TRY(LoadKeyPair(context.get(), options));
  if (!options.client_ca_file.empty()) {
    BOOST_OUTCOME_TRY(LoadClientTrust(context.get(), options));
  }
  return context;
}

}  // namespace

bool TrustsClient(ssl_ctx_st& context, const ssl_st& ssl) {
  const X509Ptr leaf(SSL_get1_peer_certificate(&ssl), X509_free);
  if (!leaf) return true;
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> store(
      X509_STORE_CTX_new(), X509_STORE_CTX_free);
  bool good = store && X509_STORE_CTX_init(store.get(), SSL_CTX_get_cert_store(&context), leaf.get(),
                                           SSL_get_peer_cert_chain(&ssl)) == 1;
  good = good && X509_STORE_CTX_set_default(store.get(), "ssl_client") == 1;
  if (good) X509_STORE_CTX_set_depth(store.get(), kVerifyDepth);
  good = good && X509_verify_cert(store.get()) == 1 && HasAllowedIssuer(context, *store);
  ERR_clear_error();
  return good;
}

bool PostQuantumAvailable() {
  static const bool available = [] {
    const TlsContext::SnapshotPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    const bool ok = context && SSL_CTX_set1_groups_list(context.get(), "X25519MLKEM768") == 1;
    ERR_clear_error();
    return ok;
  }();
  return available;
}

Result<std::shared_ptr<TlsContext>> TlsContext::Open(TlsOptions options) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(options)));
  BOOST_OUTCOME_TRY(context->Reload());
  return context;
}

Result<void> TlsContext::Reload() {
  const std::lock_guard lock(reload_mutex_);
  return ReloadLocked();
}

Result<bool> TlsContext::ReloadIfChanged() {
  const std::lock_guard lock(reload_mutex_);
  if (Fingerprint() == fingerprint_) return false;
  BOOST_OUTCOME_TRY(ReloadLocked());
  return true;
}

Result<TlsContext::Loaded> TlsContext::Load() const {
  Loaded loaded;
  loaded.fingerprint = Fingerprint();
  BOOST_OUTCOME_TRY(loaded.snapshot, Build(options_));
  return loaded;
}

void TlsContext::Use(Loaded loaded) {
  const std::lock_guard lock(reload_mutex_);
  fingerprint_ = std::move(loaded.fingerprint);
  Replace(std::move(loaded.snapshot));
}

Result<void> TlsContext::ReloadLocked() {
  fingerprint_ = Fingerprint();
  BOOST_OUTCOME_TRY(SnapshotPtr fresh, Build(options_));
  Replace(std::move(fresh));
  return boost::outcome_v2::success();
}

void TlsContext::Replace(SnapshotPtr fresh) {
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_.swap(fresh);
}

TlsContext::SnapshotPtr TlsContext::Snapshot() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

std::string TlsContext::Fingerprint() const {
  std::string text;
  for (const auto* path : {&options_.chain_file, &options_.key_file, &options_.client_ca_file,
                           &options_.client_crl_file, &options_.client_issuer_file}) {
    std::error_code ec;
    const auto time = std::filesystem::last_write_time(*path, ec);
    const auto size = std::filesystem::file_size(*path, ec);
    text += std::to_string(time.time_since_epoch().count()) + ":" + std::to_string(size) + ";";
  }
  return text;
}

}  // namespace portcullis::gateway
