#include "gateway/record/audit_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "audit/error.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kProbeInterval{100};

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

AuditClient::AuditClient(asio::io_context& core, std::filesystem::path socket,
                         AuditWaits waits)
    : core_(core), socket_(std::move(socket)), waits_(waits) {}

AuditClient::~AuditClient() {
  health_->alive = false;
  if (link_) link_->Close();
}

Result<std::shared_ptr<AuditLink>> AuditClient::Connected() {
  if (!link_ || !link_->open()) {
    link_ = std::make_shared<AuditLink>(core_, health_);
    auto connected = link_->Connect(socket_);
    if (!connected) return connected.error();
  }
  return link_;
}

Result<std::shared_ptr<AuditLink>> AuditClient::Ready() {
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
asio::awaitable<void> AuditClient::WatchUntilItAnswers(std::shared_ptr<AuditHealth> health) {
  asio::steady_timer pause(core_);
  while (health->stalled) {
    pause.expires_after(kProbeInterval);
    auto [error] = co_await pause.async_wait(kQuiet);
    if (!health->alive) co_return;
    if (error || !health->stalled || (link_ && link_->owes_acknowledgements())) continue;
    auto connected = Connected();
    if (!connected) continue;
    const std::shared_ptr<AuditLink> link = connected.value();
    const uint64_t correlation = next_correlation_++;
    AuditLink::Waiter waiter(core_);
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
  const bool ends = events.front().kind == audit::Kind::kAbort;
  auto ready = manner.insists ? Connected() : Ready();
  if (!ready) co_return ready.error();
  const std::shared_ptr<AuditLink> link = ready.value();
  const uint64_t correlation = next_correlation_++;
  auto frame = audit::EncodeAppend(correlation, events);
  if (!frame) {
    co_return Error{Code::kTooLarge, "this call does not fit one audit record: " + frame.error().message};
  }
  AuditLink::Waiter waiter(core_);
  waiter.timer.expires_after(manner.patient ? waits_.disk : waits_.open / 2);
  link->Await(correlation, waiter);
  if (!link->SendAppend(std::move(frame.value()))) {
    link->Forget(correlation);
    if (ends) link->EndLater(events.front());
    co_return Error{Code::kAuditUnavailable, "the audit log is not keeping up", "", 1000};
  }
  co_await waiter.timer.async_wait(kQuiet);
  if (!waiter.reply && link->open() && !manner.patient) {
    AuditLink::Waiter answer(core_);
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
  if (!waiter.reply && link->open() && manner.patient && waits_.end > waits_.disk) {
    waiter.timer.expires_after(waits_.end - waits_.disk);
    co_await waiter.timer.async_wait(kQuiet);
  }
  link->Forget(correlation);
  audit::Ack* ack = waiter.reply ? std::get_if<audit::Ack>(&*waiter.reply) : nullptr;
  if (ack == nullptr) {
    // An append that ends with the decision has opened a request and not closed it.
    if (events.back().kind == audit::Kind::kDecision) link->Orphan(correlation, events.front());
    if (ends) link->EndLater(events.front());
    co_return Error{Code::kAuditUnavailable,
                    "the audit log did not confirm in time; nothing was forwarded", "", 1000};
  }
  if (!ack->durable) {
    if (ack->error_code == static_cast<uint32_t>(audit::Code::kOverloaded)) Stall();
    // An end that is invalid has come too late: its request has another one.
    const bool invalid = ack->error_code == static_cast<uint32_t>(audit::Code::kInvalidEvent);
    if (ends && !invalid) link->EndLater(events.front());
    co_return Error{Code::kAuditUnavailable, "the audit log refused: " + ack->error, "", 1000};
  }
  co_return std::move(*ack);
}

asio::awaitable<Result<audit::Proof>> AuditClient::Proof(uint64_t seq, std::string_view subject) {
  auto ready = Ready();
  if (!ready) co_return ready.error();
  const std::shared_ptr<AuditLink> link = ready.value();
  const uint64_t correlation = next_correlation_++;
  AuditLink::Waiter waiter(core_);
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
