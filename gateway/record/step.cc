// Steps "record": the events of a call, and who waits for them.
#include <sodium.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/record/events.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

asio::awaitable<Result<AuditPermit>> Record(Call& call, const Identity& who, const ScanResult& found,
                                            const Decision& decision) {
  call.jurisdiction = RecordJurisdiction(who, call.services.config);
  if (const auto days = decision.obligations().retention_days) {
    call.retention_days = static_cast<uint16_t>(std::min<uint32_t>(*days, UINT16_MAX));
  }
  std::vector<audit::Event> events;
  if (call.route->access == Access::kAdmin) {
    events.push_back(AdminEvent(call, who, decision));
  } else {
    events.push_back(RequestEvent(call, who, decision));
    events.push_back(DecisionEvent(call, who, found, decision));
  }
  if (!decision.allowed()) {
    const Error refusal = PolicyRefusal(decision, call.id_text);
    if (call.route->access != Access::kAdmin) {
      audit::Event abort = AbortEvent(call, refusal);
      abort.parent_seq = audit::kParentFirst;
      events.push_back(std::move(abort));
    }
    auto noted = co_await call.services.recorder.Note(std::move(events));
    co_return noted ? refusal : noted.error();
  }
  const int64_t asked_ns = call.services.clock.MonotonicNs();
  auto permit = co_await call.services.recorder.Permit(std::move(events));
  call.services.metrics.audit_seconds.ObserveNs(call.services.clock.MonotonicNs() - asked_ns);
  if (!permit) co_return permit.error();
  (call.route->access == Access::kAdmin ? call.act_seq : call.request_seq) =
      permit.value().request_seq();
  call.receipt = permit.value().receipt();
  co_return std::move(permit.value());
}

}  // namespace portcullis::gateway
