// The connection of one core to portcullis-auditd: frames of audit/protocol.h over a Unix socket,
// many appends in flight, answered in any order. Connects when needed and again after a failure.
// Threading: one core; nothing here is shared. Failure: kAuditUnavailable, always within the wait
// given at construction; the caller then refuses, it never goes on without a record. Once auditd let a
// wait run out it is taken for stalled: every call is refused at once, so that nobody queues behind a
// hanging disk, and until it answers again it is asked for its status every 250 ms.
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

namespace portcullis::gateway {

class AuditClient {
 public:
  AuditClient(boost::asio::io_context& core, std::filesystem::path socket,
              std::chrono::milliseconds wait);
  ~AuditClient();
  AuditClient(const AuditClient&) = delete;
  AuditClient& operator=(const AuditClient&) = delete;

  // Returns when all events are on disk, or with an error when that is not known.
  boost::asio::awaitable<Result<audit::Ack>> Append(std::span<const audit::Event> events);
  boost::asio::awaitable<Result<audit::Proof>> Proof(uint64_t seq, std::string_view subject);

 private:
  class Link;

  Result<std::shared_ptr<Link>> Ready();
  Result<std::shared_ptr<Link>> Connected();
  void Stall();
  boost::asio::awaitable<void> AskUntilItAnswers(std::shared_ptr<bool> alive);

  boost::asio::io_context& core_;
  std::filesystem::path socket_;
  std::chrono::milliseconds wait_;
  std::shared_ptr<Link> link_;
  uint64_t next_correlation_ = 1;
  bool stalled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false once this is destroyed
};

}  // namespace portcullis::gateway
