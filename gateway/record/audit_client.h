// The connection of one core to portcullis-auditd: frames of audit/protocol.h over a Unix socket,
// many appends in flight, answered in any order. Connects when needed and again after a failure.
// Threading: one core; nothing here is shared. Failure: kAuditUnavailable, always within the waits
// given at construction; the caller then refuses, it never goes on without a record. An opening that is
// not acknowledged in time waits on only where auditd itself says that it is at work: then its disk is slow.
// Otherwise auditd is taken for stalled: openings are refused at once, so that nobody queues behind a
// log that hangs, until an acknowledgement comes or, on a new connection, a status.
// Records that end a call are sent even then; that of an answer, which is made already, may wait longer, and
// says that auditd is stalled only after as long as its disk may take. An ABORT that is refused or not
// confirmed is sent again, with what was delivered, until it stands in the log (audit_link.h).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "audit/protocol.h"
#include "gateway/error.h"
#include "gateway/record/audit_link.h"

namespace portcullis::gateway {

struct AuditWaits {
  std::chrono::milliseconds open;  // for what opens a call or refuses it, where auditd does not answer
  std::chrono::milliseconds disk;  // the same, where auditd says that it is writing; then it is stalled
  std::chrono::milliseconds end;   // for RESP, and for what no caller waits for
};

class AuditClient {
 public:
  AuditClient(boost::asio::io_context& core, std::filesystem::path socket, AuditWaits waits);
  ~AuditClient();
  AuditClient(const AuditClient&) = delete;
  AuditClient& operator=(const AuditClient&) = delete;

  // Returns when all events are on disk, or with an error when that is not known.
  boost::asio::awaitable<Result<audit::Ack>> Append(std::span<const audit::Event> events);
  boost::asio::awaitable<Result<audit::Proof>> Proof(uint64_t seq, std::string_view subject);

 private:
  Result<std::shared_ptr<AuditLink>> Ready();
  Result<std::shared_ptr<AuditLink>> Connected();
  void Stall();
  boost::asio::awaitable<void> WatchUntilItAnswers(std::shared_ptr<AuditHealth> health);

  boost::asio::io_context& core_;
  std::filesystem::path socket_;
  AuditWaits waits_;
  std::shared_ptr<AuditLink> link_;
  uint64_t next_correlation_ = 1;
  bool watching_ = false;
  std::shared_ptr<AuditHealth> health_ = std::make_shared<AuditHealth>();
};

}  // namespace portcullis::gateway
