// TLS settings of one listener, from files, with hot reload: handshakes use the newest snapshot
// that loaded; a bad new file keeps the last good one and says why. TLS 1.3 only unless allowed,
// ALPN http/1.1, no renegotiation, no 0-RTT, no tickets and no session cache (a client certificate is
// verified again at every connection, so a revocation bites). RFC 8446, RFC 5280.
// Threading: Snapshot() and Reload() from any thread. OpenSSL appears here and in tls_stream only.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace portcullis::gateway {

struct TlsOptions {
  std::filesystem::path chain_file;  // PEM: leaf first, then intermediates
  std::filesystem::path key_file;    // PEM, unencrypted, mode 0600 or stricter
  // mTLS. Empty: client certificates are not asked for.
  std::filesystem::path client_ca_file;      // PEM: trusted roots (and intermediates)
  std::filesystem::path client_crl_file;     // PEM: a CRL of every CA in the chains
  std::filesystem::path client_issuer_file;  // PEM: only leaves of these CAs; empty: any
  bool client_certificate_required = false;
  bool allow_tls12 = false;
  bool require_pq = false;  // X25519MLKEM768 or no connection; needs OpenSSL 3.5
};

class TlsContext {
 public:
  // An immutable SSL_CTX; connections hold it while they live.
  using SnapshotPtr = std::shared_ptr<ssl_ctx_st>;

  static Result<std::shared_ptr<TlsContext>> Open(TlsOptions options);

  // What the files say now, not used yet: several listeners can be loaded before any changes.
  struct Loaded {
    SnapshotPtr snapshot;
    std::string fingerprint;
  };
  Result<Loaded> Load() const;
  void Use(Loaded loaded);
  // Loads all files again. On failure the last good snapshot stays.
  Result<void> Reload();
  // Reload() if a file's time or size changed since the last attempt; true when it reloaded.
  Result<bool> ReloadIfChanged();
  SnapshotPtr Snapshot() const;
  const TlsOptions& options() const { return options_; }

 private:
  explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}
  Result<void> ReloadLocked();
  void Replace(SnapshotPtr fresh);
  std::string Fingerprint() const;

  TlsOptions options_;
  std::mutex reload_mutex_;  // one reload at a time; never held by a handshake
  std::string fingerprint_;  // of the files at the last attempt
  mutable std::mutex snapshot_mutex_;  // held for the copy of a pointer, once a handshake
  SnapshotPtr snapshot_;
};

// Whether the client's certificate of a finished handshake passes the CAs, CRLs and issuers of
// `context`; true where none was shown.
bool TrustsClient(ssl_ctx_st& context, const ssl_st& ssl);

// Whether the linked OpenSSL has X25519MLKEM768.
bool PostQuantumAvailable();

}  // namespace portcullis::gateway
