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

}  // namespace portcullis::gateway
