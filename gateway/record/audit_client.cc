#include "gateway/record/audit_client.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <map>
#include <optional>

#include "audit/error.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
// Frames waiting to be written to one auditd connection; above this auditd is not keeping up.
constexpr size_t kMaxOutbox = 128u << 20;
constexpr size_t kMaxOrphans = 1u << 16;
constexpr std::chrono::milliseconds kProbeInterval{100};
constexpr uint64_t kLate = uint64_t{1} << 63;  // correlations of late ends
constexpr std::chrono::milliseconds kLateRetry{500};

// How an append that begins with this kind goes with a log that is slow.
struct Manner {
  bool insists;  // sent to a stalled log too: a request in the log needs its end
  bool patient;  // waits as for an end: no caller stands before a refusal
};
Manner MannerOf(audit::Kind kind) {
  switch (kind) {
    case audit::Kind::kReq:
    case audit::Kind::kAdmin: return {false, false};
    case audit::Kind::kAbort: return {true, false};
    case audit::Kind::kResp: return {true, true};
    default: return {false, true};
  }
}

// The end of a request whose record became durable after its caller had been refused.
audit::Event LateAbort(const audit::Event& request, uint64_t seq) {
  const CodeInfo& info = Info(Code::kAuditUnavailable);
  audit::Event event;
  event.kind = audit::Kind::kAbort;
  event.request_id = request.request_id;
  event.subject = request.subject;
  event.tenant = request.tenant;
  event.jurisdiction = request.jurisdiction;
  event.retention_days = request.retention_days;
  event.parent_seq = seq;
  event.outcome = static_cast<uint16_t>(info.http_status);
  event.parts.push_back({audit::PartType::kMetadata,
                         R"({"name":")" + std::string(info.name) + R"(","late":true})"});
  return event;
}

// One connection. Its reader and writer coroutines hold it by shared_ptr and end when it closes.
class AuditClient::Link : public std::enable_shared_from_this<Link> {
 public:
  struct Waiter {
    explicit Waiter(asio::io_context& core) : timer(core) {}
    asio::steady_timer timer;
    std::optional<audit::FromAuditd> reply;
  };

  Link(asio::io_context& core, std::shared_ptr<Health> health)
      : core_(core), socket_(core), health_(std::move(health)) {}

  bool open() const { return open_; }
  bool owes_acknowledgements() const { return open_ && unacknowledged_ > 0; }

  Result<void> Connect(const std::filesystem::path& path) {
    boost::system::error_code error;
    socket_.open(asio::local::stream_protocol(), error);
    // A full backlog must be an error at once. A blocking connect would stop the whole core, and
    // Asio takes the EAGAIN of a Unix socket for a connection on its way, so the system is asked.
    if (!error) socket_.non_blocking(true, error);
    const asio::local::stream_protocol::endpoint endpoint(path.string());
    if (!error && ::connect(socket_.native_handle(), endpoint.data(),
                            static_cast<socklen_t>(endpoint.size())) != 0) {
      error.assign(errno, boost::system::system_category());
    }
    if (error) {
      return Error{Code::kAuditUnavailable,
                   "the audit log does not answer at its socket: " + error.message()};
    }
    open_ = true;
    asio::co_spawn(core_, Read(shared_from_this()), asio::detached);
    return boost::outcome_v2::success();
  }

  bool SendAppend(std::string frame) {
    if (!Send(std::move(frame))) return false;
    ++unacknowledged_;
    return true;
  }

  bool Send(std::string frame) {
    if (outbox_bytes_ + frame.size() > kMaxOutbox) return false;
    outbox_bytes_ += frame.size();
    outbox_.push_back(std::move(frame));
    if (!writing_) {
      writing_ = true;
      asio::co_spawn(core_, Write(shared_from_this()), asio::detached);
    }
    return true;
  }

  void Await(uint64_t correlation, Waiter& waiter) { waiters_[correlation] = &waiter; }
  void Forget(uint64_t correlation) { waiters_.erase(correlation); }
  // Nobody waits any more, but if the record is acknowledged after all, its end must follow.
  void Orphan(uint64_t correlation, const audit::Event& request) {
    if (!open_ || request.kind != audit::Kind::kReq || orphans_.size() >= kMaxOrphans) return;
    audit::Event& kept = orphans_[correlation];
    kept.request_id = request.request_id;
    kept.subject = request.subject;
    kept.tenant = request.tenant;
    kept.jurisdiction = request.jurisdiction;
    kept.retention_days = request.retention_days;
  }

  // Wakes everybody: without an acknowledgement that means "not known to be durable".
  void Close() {
    open_ = false;
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto& [correlation, waiter] : waiters_) waiter->timer.cancel();
    waiters_.clear();
  }

 private:
  static asio::awaitable<void> Read(std::shared_ptr<Link> self) {
    audit::FrameReader reader;
    std::array<char, 16384> buffer;
    while (self->open_) {
      auto [error, size] = co_await self->socket_.async_read_some(asio::buffer(buffer), kQuiet);
      if (error) break;
      reader.Feed(std::span<const char>(buffer.data(), size));
      if (!self->Deliver(reader)) break;
    }
    self->Close();
  }

  bool Deliver(audit::FrameReader& reader) {
    while (true) {
      auto next = reader.NextReply();
      if (!next) return false;
      if (!next.value()) return true;
      const auto* acknowledgement = std::get_if<audit::Ack>(&*next.value());
      if (acknowledgement != nullptr) {
        if (unacknowledged_ > 0) --unacknowledged_;
        // That appends wait too long is said by a thread that does not write.
        if (acknowledgement->error_code != static_cast<uint32_t>(audit::Code::kOverloaded)) health_->stalled = false;
      }
      const uint64_t correlation =
          std::visit([](const auto& reply) { return reply.correlation; }, *next.value());
      const auto found = waiters_.find(correlation);
      if (found == waiters_.end()) {
        if (acknowledgement != nullptr) CloseOrphan(*acknowledgement);
        continue;
      }
      found->second->reply = std::move(*next.value());
      found->second->timer.cancel();
      waiters_.erase(found);
    }
  }

  void CloseOrphan(const audit::Ack& ack) {
    const auto found = orphans_.find(ack.correlation);
    if (found == orphans_.end()) return;
    if (ack.durable && !ack.seqs.empty()) {
      asio::co_spawn(core_, SendLate(shared_from_this(), ack.correlation | kLate,
                                     LateAbort(found->second, ack.seqs.front())), asio::detached);
    }
    orphans_.erase(found);
  }

  // Until it is durable: a log that has just come back may still refuse.
  static asio::awaitable<void> SendLate(std::shared_ptr<Link> self, uint64_t correlation,
                                        audit::Event event) {
    const std::vector<audit::Event> events{std::move(event)};
    Waiter waiter(self->core_);
    while (self->open_) {
      auto frame = audit::EncodeAppend(correlation, events);
      if (!frame) co_return;
      waiter.reply.reset();
      waiter.timer.expires_at(asio::steady_timer::time_point::max());
      self->Await(correlation, waiter);
      if (self->SendAppend(std::move(frame.value()))) {
        co_await waiter.timer.async_wait(kQuiet);
        const auto* ack = waiter.reply ? std::get_if<audit::Ack>(&*waiter.reply) : nullptr;
        if (ack == nullptr || ack->durable) break;
      }
      self->Forget(correlation);
      waiter.timer.expires_after(kLateRetry);
      co_await waiter.timer.async_wait(kQuiet);
    }
    self->Forget(correlation);
  }

  static asio::awaitable<void> Write(std::shared_ptr<Link> self) {
    while (self->open_ && !self->outbox_.empty()) {
      std::vector<std::string> batch;
      batch.swap(self->outbox_);
      self->outbox_bytes_ = 0;
      std::vector<asio::const_buffer> buffers;
      buffers.reserve(batch.size());
      for (const std::string& frame : batch) buffers.emplace_back(frame.data(), frame.size());
      auto [error, size] = co_await asio::async_write(self->socket_, buffers, kQuiet);
      if (error) self->Close();
    }
    self->writing_ = false;
  }

  asio::io_context& core_;
  asio::local::stream_protocol::socket socket_;
  const std::shared_ptr<Health> health_;
  size_t unacknowledged_ = 0;  // appends; auditd answers each once
  std::map<uint64_t, Waiter*> waiters_;
  std::map<uint64_t, audit::Event> orphans_;
  std::vector<std::string> outbox_;
  size_t outbox_bytes_ = 0;
  bool writing_ = false;
  bool open_ = false;
};

AuditClient::AuditClient(asio::io_context& core, std::filesystem::path socket,
                         AuditWaits waits)
    : core_(core), socket_(std::move(socket)), waits_(waits) {}

AuditClient::~AuditClient() {
  health_->alive = false;
  if (link_) link_->Close();
}

Result<std::shared_ptr<AuditClient::Link>> AuditClient::Connected() {
  if (!link_ || !link_->open()) {
    link_ = std::make_shared<Link>(core_, health_);
    auto connected = link_->Connect(socket_);
    if (!connected) return connected.error();
  }
  return link_;
}

Result<std::shared_ptr<AuditClient::Link>> AuditClient::Ready() {
  if (health_->stalled) {
    return Error{Code::kAuditUnavailable, "the audit log does not answer; nothing is forwarded", "", 1000};
  }
  return Connected();
}

void AuditClient::Stall() {
  if (health_->stalled) return;
  health_->stalled = true;
  if (watching_) return;
  watching_ = true;
  asio::co_spawn(core_, WatchUntilItAnswers(health_), asio::detached);
}

// While acknowledgements are owed, only they show that records become durable: a status would come from
// a thread that does not write.
asio::awaitable<void> AuditClient::WatchUntilItAnswers(std::shared_ptr<Health> health) {
  asio::steady_timer pause(core_);
  while (health->stalled) {
    pause.expires_after(kProbeInterval);
    auto [error] = co_await pause.async_wait(kQuiet);
    if (!health->alive) co_return;
    if (error || !health->stalled || (link_ && link_->owes_acknowledgements())) continue;
    auto connected = Connected();
    if (!connected) continue;
    const std::shared_ptr<Link> link = connected.value();
    const uint64_t correlation = next_correlation_++;
    Link::Waiter waiter(core_);
    waiter.timer.expires_after(waits_.end);
    link->Await(correlation, waiter);
    if (link->Send(audit::EncodeStatusRequest(correlation))) co_await waiter.timer.async_wait(kQuiet);
    link->Forget(correlation);
    if (!health->alive) co_return;
    // Not writable and nothing at work: the disk is nearly full, which appends are told themselves.
    const auto* status = waiter.reply ? std::get_if<audit::Status>(&*waiter.reply) : nullptr;
    if (status != nullptr && (status->writable || status->queued == 0)) health->stalled = false;
  }
  watching_ = false;
}

asio::awaitable<Result<audit::Ack>> AuditClient::Append(std::span<const audit::Event> events) {
  const Manner manner = MannerOf(events.front().kind);
  auto ready = manner.insists ? Connected() : Ready();
  if (!ready) co_return ready.error();
  const std::shared_ptr<Link> link = ready.value();
  const uint64_t correlation = next_correlation_++;
  auto frame = audit::EncodeAppend(correlation, events);
  if (!frame) {
    co_return Error{Code::kTooLarge, "this call does not fit one audit record: " + frame.error().message};
  }
  Link::Waiter waiter(core_);
  waiter.timer.expires_after(manner.patient ? waits_.open : waits_.open / 2);
  link->Await(correlation, waiter);
  if (!link->SendAppend(std::move(frame.value()))) {
    link->Forget(correlation);
    co_return Error{Code::kAuditUnavailable, "the audit log is not keeping up", "", 1000};
  }
  co_await waiter.timer.async_wait(kQuiet);
  if (!waiter.reply && link->open() && !manner.patient) {
    Link::Waiter answer(core_);
    const uint64_t question = next_correlation_++;
    link->Await(question, answer);
    (void)link->Send(audit::EncodeStatusRequest(question));
    waiter.timer.expires_after(waits_.open - waits_.open / 2);
    co_await waiter.timer.async_wait(kQuiet);
    link->Forget(question);
    const auto* status = answer.reply ? std::get_if<audit::Status>(&*answer.reply) : nullptr;
    if (!waiter.reply && link->open() && status != nullptr && status->writable) {
      waiter.timer.expires_after(waits_.disk - waits_.open);
      co_await waiter.timer.async_wait(kQuiet);
    }
  }
  if (!waiter.reply && link->open()) Stall();
  if (!waiter.reply && link->open() && manner.patient && waits_.end > waits_.open) {
    waiter.timer.expires_after(waits_.end - waits_.open);
    co_await waiter.timer.async_wait(kQuiet);
  }
  link->Forget(correlation);
  audit::Ack* ack = waiter.reply ? std::get_if<audit::Ack>(&*waiter.reply) : nullptr;
  if (ack == nullptr) {
    // An append that ends with the decision has opened a request and not closed it.
    if (events.back().kind == audit::Kind::kDecision) link->Orphan(correlation, events.front());
    co_return Error{Code::kAuditUnavailable,
                    "the audit log did not confirm in time; nothing was forwarded", "", 1000};
  }
  if (!ack->durable) {
    if (ack->error_code == static_cast<uint32_t>(audit::Code::kOverloaded)) Stall();
    co_return Error{Code::kAuditUnavailable, "the audit log refused: " + ack->error, "", 1000};
  }
  co_return std::move(*ack);
}

asio::awaitable<Result<audit::Proof>> AuditClient::Proof(uint64_t seq, std::string_view subject) {
  auto ready = Ready();
  if (!ready) co_return ready.error();
  const std::shared_ptr<Link> link = ready.value();
  const uint64_t correlation = next_correlation_++;
  Link::Waiter waiter(core_);
  waiter.timer.expires_after(waits_.end);
  link->Await(correlation, waiter);
  if (!link->Send(audit::EncodeProofRequest(correlation, seq, subject))) {
    link->Forget(correlation);
    co_return Error{Code::kAuditUnavailable, "the audit log is not keeping up", "", 1000};
  }
  co_await waiter.timer.async_wait(kQuiet);
  link->Forget(correlation);
  audit::Proof* proof = waiter.reply ? std::get_if<audit::Proof>(&*waiter.reply) : nullptr;
  if (proof == nullptr) {
    co_return Error{Code::kAuditUnavailable, "the audit log gave no proof in time", "", 1000};
  }
  co_return std::move(*proof);
}

}  // namespace portcullis::gateway
