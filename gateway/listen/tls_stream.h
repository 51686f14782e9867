// TLS over the socket itself: SSL* drives the non-blocking descriptor, without the BIO pair and the
// buffers of asio::ssl::stream, and gives its record buffers back while idle, so that an idle
// connection stays small. Threading and failure as in stream.h. RFC 8446.
#pragma once

#include <memory>

#include "gateway/listen/stream.h"
#include "gateway/listen/tls_context.h"

struct ssl_st;

namespace portcullis::gateway {

class TlsStream final : public Stream {
 public:
  // Borrows `fd`. Null when OpenSSL has no memory.
  static std::unique_ptr<TlsStream> Accept(const TlsContext::SnapshotPtr& context, int fd);

  Outcome Handshake() override;
  Outcome Read(char* data, size_t size) override;
  Outcome Write(const char* data, size_t size) override;
  Outcome CloseNotify() override;
  void Describe(Peer& peer) const override;
  bool TrustedBy(ssl_ctx_st& context) const override;

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  TlsStream(TlsContext::SnapshotPtr context, ssl_st* ssl) : context_(std::move(context)), ssl_(ssl) {}
  Outcome Explain(int result) const;

  TlsContext::SnapshotPtr context_;  // the certificates this connection was made with
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace portcullis::gateway
