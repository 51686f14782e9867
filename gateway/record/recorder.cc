#include "gateway/record/recorder.h"

namespace portcullis::gateway {

boost::asio::awaitable<Result<AuditPermit>> Recorder::Permit(std::vector<audit::Event> events) {
  auto ack = co_await client_.Append(events);
  if (!ack) co_return ack.error();
  if (ack.value().seqs.empty()) {
    co_return Error{Code::kAuditUnavailable, "the audit log confirmed nothing", "", 1000};
  }
  AuditPermit permit(ack.value().seqs.front(), ack.value().receipt);
  co_return permit;
}

boost::asio::awaitable<Result<void>> Recorder::Note(std::vector<audit::Event> events) {
  auto ack = co_await client_.Append(events);
  if (!ack) co_return ack.error();
  co_return boost::outcome_v2::success();
}

boost::asio::awaitable<Result<audit::Proof>> Recorder::Proof(uint64_t seq, const std::string& subject) {
  auto proof = co_await client_.Proof(seq, subject);
  if (!proof) co_return proof.error();
  const auto code = static_cast<audit::Code>(proof.value().error_code);
  if (code == audit::Code::kNotFound) co_return Error{Code::kNotFound, proof.value().error};
  if (proof.value().error_code != 0) {
    co_return Error{Code::kAuditUnavailable, "no proof now: " + proof.value().error, "", 1000};
  }
  co_return std::move(proof.value());
}

}  // namespace portcullis::gateway
