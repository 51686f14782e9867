// The proof that a request may be forwarded: its REQ and DECISION records are durable. Only the
// Recorder makes one, and only from an acknowledgement by auditd; the upstream client takes it by
// value. "Forwarded without a log record" therefore does not compile.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace portcullis::gateway {

class AuditPermit {
 public:
  AuditPermit(AuditPermit&&) noexcept = default;
  AuditPermit& operator=(AuditPermit&&) noexcept = default;
  AuditPermit(const AuditPermit&) = delete;
  AuditPermit& operator=(const AuditPermit&) = delete;

  uint64_t request_seq() const { return request_seq_; }      // seq of the REQ record
  const std::string& receipt() const { return receipt_; }    // signed, for x-portcullis-receipt

 private:
  friend class Recorder;
  AuditPermit(uint64_t request_seq, std::string receipt)
      : request_seq_(request_seq), receipt_(std::move(receipt)) {}

  uint64_t request_seq_;
  std::string receipt_;
};

}  // namespace portcullis::gateway
