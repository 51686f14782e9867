// A stream without TLS, for Unix sockets only: the kernel vouches for the peer (SO_PEERCRED).
// Threading and failure as in stream.h.
#pragma once

#include "gateway/listen/stream.h"

namespace portcullis::gateway {

class PlainStream final : public Stream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}  // borrowed: the connection's socket owns it

  Outcome Handshake() override { return {Status::kOk}; }
  Outcome Read(char* data, size_t size) override;
  Outcome Write(const char* data, size_t size) override;
  Outcome CloseNotify() override { return {Status::kOk}; }
  void Describe(Peer& peer) const override;
  bool TrustedBy(ssl_ctx_st&) const override { return true; }

 private:
  int fd_;
};

}  // namespace portcullis::gateway
