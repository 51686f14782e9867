// A non-blocking byte stream over one socket: TLS or plain. Nothing here waits: when bytes cannot
// move, the outcome says for which readiness to wait, and Connection does so with its deadlines.
// Threading: the connection's core only. Failure: kEnd is an orderly end (close_notify, or FIN of a
// plain stream), kFailed everything else; whether an end is clean is decided by the message reader.
#pragma once

#include <cstddef>

#include "gateway/listen/peer.h"

struct ssl_ctx_st;

namespace portcullis::gateway {

class Stream {
 public:
  enum class Status { kOk, kWantRead, kWantWrite, kEnd, kFailed };
  struct Outcome {
    Status status = Status::kFailed;
    size_t size = 0;  // bytes moved, when kOk
  };

  virtual ~Stream() = default;
  virtual Outcome Handshake() = 0;
  virtual Outcome Read(char* data, size_t size) = 0;
  // Takes what fits. After kWantRead or kWantWrite the next Write must begin with the same bytes.
  virtual Outcome Write(const char* data, size_t size) = 0;
  virtual Outcome CloseNotify() = 0;
  // Adds what the handshake proved.
  virtual void Describe(Peer& peer) const = 0;
  // Would the client's certificate pass under these settings too? True where none was shown.
  virtual bool TrustedBy(ssl_ctx_st& context) const = 0;
};

}  // namespace portcullis::gateway
