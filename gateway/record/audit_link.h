// One connection to portcullis-auditd. Sends frames, wakes who waits for a reply, and sees to it that every
// request in the log gets its end: ends that nobody waits for any more stay here until they stand in the log.
// Its coroutines hold it by shared_ptr and end when it closes; a new auditd closes by itself what it finds
// open. Threading: one core. Failure: a closed link wakes everybody without a reply.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/protocol.h"
#include "gateway/error.h"

namespace portcullis::gateway {

struct AuditHealth {
  bool alive = true;  // false once the client is destroyed
  bool stalled = false;
};

class AuditLink : public std::enable_shared_from_this<AuditLink> {
 public:
  struct Waiter {
    explicit Waiter(boost::asio::io_context& core) : timer(core) {}
    const audit::Ack* ack() const { return reply ? std::get_if<audit::Ack>(&*reply) : nullptr; }
    boost::asio::steady_timer timer;
    std::optional<audit::FromAuditd> reply;
  };

  AuditLink(boost::asio::io_context& core, std::shared_ptr<AuditHealth> health)
      : core_(core), socket_(core), health_(std::move(health)) {}

  bool open() const { return open_; }
  bool owes_acknowledgements() const { return open_ && unacknowledged_ > 0; }

  Result<void> Connect(const std::filesystem::path& path);
  // False: what waits to be written is too much already.
  bool SendAppend(std::string frame);
  bool Send(std::string frame);
  void Await(uint64_t correlation, Waiter& waiter) { waiters_[correlation] = &waiter; }
  void Forget(uint64_t correlation) { waiters_.erase(correlation); }
  // Nobody waits any more, but if the record is acknowledged after all, its end must follow.
  void Orphan(uint64_t correlation, const audit::Event& request);
  // An ABORT that the log has refused or not confirmed, with what was delivered before it.
  void EndLater(audit::Event abort);
  // Wakes everybody: without an acknowledgement that means "not known to be durable".
  void Close();

 private:
  using Self = std::shared_ptr<AuditLink>;
  static boost::asio::awaitable<void> Read(Self self);
  static boost::asio::awaitable<void> Write(Self self);
  static boost::asio::awaitable<void> SendLate(Self self);
  bool Deliver(audit::FrameReader& reader);
  void CloseOrphan(const audit::Ack& ack);

  boost::asio::io_context& core_;
  boost::asio::local::stream_protocol::socket socket_;
  const std::shared_ptr<AuditHealth> health_;
  size_t unacknowledged_ = 0;  // appends; auditd answers each once
  std::map<uint64_t, Waiter*> waiters_;
  std::map<uint64_t, audit::Event> orphans_;
  std::deque<audit::Event> late_;  // ends that are still to be sent
  uint64_t late_bytes_ = 0;        // of content in them and in those on their way
  uint64_t next_late_ = uint64_t{1} << 63;  // correlation
  bool sending_late_ = false;
  std::vector<std::string> outbox_;
  size_t outbox_bytes_ = 0;
  bool writing_ = false;
  bool open_ = false;
};

}  // namespace portcullis::gateway
