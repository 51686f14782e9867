#include "gateway/record/audit_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "audit/error.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
// Frames waiting to be written to one auditd connection; above this auditd is not keeping up.
constexpr size_t kMaxOutbox = 128u << 20;
constexpr size_t kMaxOrphans = 1u << 16;
constexpr size_t kMaxLate = 1u << 17;
constexpr uint64_t kMaxLateBytes = 128u << 20;
constexpr size_t kLateAtOnce = 256;
constexpr std::chrono::milliseconds kLateRetry{500};

namespace {

uint64_t ContentOf(const audit::Event& event) {
  uint64_t bytes = 0;
  for (const audit::Part& part : event.parts) bytes += part.bytes.size();
  return bytes;
}

// The metadata of an ABORT is a JSON object.
void AddToMetadata(audit::Event& abort, std::string_view member) {
  if (abort.parts.empty() || !abort.parts.front().bytes.ends_with('}')) return;
  std::string& metadata = abort.parts.front().bytes;
  metadata.insert(metadata.size() - 1, member);
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
  event.parts.push_back({audit::PartType::kMetadata, R"({"name":")" + std::string(info.name) + R"("})"});
  return event;
}

bool Is(const audit::Ack& ack, audit::Code code) { return ack.error_code == static_cast<uint32_t>(code); }

}  // namespace

Result<void> AuditLink::Connect(const std::filesystem::path& path) {
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

bool AuditLink::SendAppend(std::string frame) {
  if (!Send(std::move(frame))) return false;
  ++unacknowledged_;
  return true;
}

bool AuditLink::Send(std::string frame) {
  if (outbox_bytes_ + frame.size() > kMaxOutbox) return false;
  outbox_bytes_ += frame.size();
  outbox_.push_back(std::move(frame));
  if (!writing_) {
    writing_ = true;
    asio::co_spawn(core_, Write(shared_from_this()), asio::detached);
  }
  return true;
}

void AuditLink::Orphan(uint64_t correlation, const audit::Event& request) {
  if (!open_ || request.kind != audit::Kind::kReq || orphans_.size() >= kMaxOrphans) return;
  audit::Event& kept = orphans_[correlation];
  kept.request_id = request.request_id;
  kept.subject = request.subject;
  kept.tenant = request.tenant;
  kept.jurisdiction = request.jurisdiction;
  kept.retention_days = request.retention_days;
}

void AuditLink::EndLater(audit::Event abort) {
  if (!open_ || late_.size() >= kMaxLate) return;
  AddToMetadata(abort, R"(,"late":true)");
  if (late_bytes_ + ContentOf(abort) > kMaxLateBytes && abort.parts.size() > 1) {
    abort.parts.resize(1);
    AddToMetadata(abort, R"(,"answer_kept":false)");
  }
  late_bytes_ += ContentOf(abort);
  late_.push_back(std::move(abort));
  if (sending_late_) return;
  sending_late_ = true;
  asio::co_spawn(core_, SendLate(shared_from_this()), asio::detached);
}

void AuditLink::Close() {
  open_ = false;
  boost::system::error_code ignored;
  socket_.close(ignored);
  for (auto& [correlation, waiter] : waiters_) waiter->timer.cancel();
  waiters_.clear();
}

asio::awaitable<void> AuditLink::Read(Self self) {
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

bool AuditLink::Deliver(audit::FrameReader& reader) {
  while (true) {
    auto next = reader.NextReply();
    if (!next) return false;
    if (!next.value()) return true;
    const auto* acknowledgement = std::get_if<audit::Ack>(&*next.value());
    if (acknowledgement != nullptr) {
      if (unacknowledged_ > 0) --unacknowledged_;
      // That appends wait too long is said by a thread that does not write.
      if (!Is(*acknowledgement, audit::Code::kOverloaded)) health_->stalled = false;
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

void AuditLink::CloseOrphan(const audit::Ack& ack) {
  const auto found = orphans_.find(ack.correlation);
  if (found == orphans_.end()) return;
  if (ack.durable && !ack.seqs.empty()) EndLater(LateAbort(found->second, ack.seqs.front()));
  orphans_.erase(found);
}

// One alone while the log refuses, then twice as many each time. An end that the log calls invalid is there
// already: its first copy, or the RESP, became durable when nobody waited for it any more.
asio::awaitable<void> AuditLink::SendLate(Self self) {
  size_t many = 1;
  while (self->open_ && !self->late_.empty()) {
    std::deque<Waiter> waiters;
    std::vector<audit::Event> ends;
    const uint64_t first = self->next_late_;
    while (ends.size() < many && !self->late_.empty()) {
      auto frame = audit::EncodeAppend(self->next_late_, {&self->late_.front(), 1});
      ends.push_back(std::move(self->late_.front()));
      self->late_.pop_front();
      Waiter& waiter = waiters.emplace_back(self->core_);
      waiter.timer.expires_at(asio::steady_timer::time_point::max());
      if (frame && self->SendAppend(std::move(frame.value()))) {
        self->Await(self->next_late_, waiter);
      } else {
        waiter.reply = audit::Ack{};
      }
      ++self->next_late_;
    }
    size_t refused = 0;
    for (size_t i = ends.size(); i-- > 0;) {
      while (!waiters[i].reply && self->open_) co_await waiters[i].timer.async_wait(kQuiet);
      self->Forget(first + i);
      const audit::Ack* ack = waiters[i].ack();
      if (ack != nullptr && (ack->durable || Is(*ack, audit::Code::kInvalidEvent))) {
        self->late_bytes_ -= ContentOf(ends[i]);
      } else {
        ++refused;
        self->late_.push_front(std::move(ends[i]));
      }
    }
    many = refused > 0 ? 1 : std::min(2 * many, kLateAtOnce);
    if (refused == 0 || !self->open_) continue;
    asio::steady_timer pause(self->core_, kLateRetry);
    co_await pause.async_wait(kQuiet);
  }
  self->sending_late_ = false;
}

asio::awaitable<void> AuditLink::Write(Self self) {
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

}  // namespace portcullis::gateway
