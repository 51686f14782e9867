// Step "record": what of a call goes into the audit log, and when.
//   REQ + DECISION together, durable before anything is forwarded    → AuditPermit
//   RESP, durable before the last chunk leaves                       ABORT for every other end
//   REQ + DECISION + ABORT in one append for a refusal by policy
//   ADMIN for an administrator's call, ABUSE for counts of refused strangers
// Content goes to auditd over a local socket and is sealed there; nothing is kept here.
// Threading: one per core. Failure: kAuditUnavailable.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "gateway/error.h"
#include "gateway/record/audit_client.h"
#include "gateway/record/permit.h"

namespace portcullis::gateway {

// A failed append must not take longer than the caller would wait for a refusal.
class Recorder {
 public:
  explicit Recorder(AuditClient& client) : client_(client) {}

  // The permit for the first of `events`.
  boost::asio::awaitable<Result<AuditPermit>> Permit(std::vector<audit::Event> events);
  // Records that permit nothing: RESP, ABORT, ABUSE, refusals.
  boost::asio::awaitable<Result<void>> Note(std::vector<audit::Event> events);
  // The proof of a record, for its subject only: kNotFound for anybody else, as if there were none.
  boost::asio::awaitable<Result<audit::Proof>> Proof(uint64_t seq, const std::string& subject);

 private:
  AuditClient& client_;  // outlives the recorder
};

}  // namespace portcullis::gateway
