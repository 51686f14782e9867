// Step "identify": proof or no call. A source in disgrace is told so instead of being asked again;
// whoever brings a proof passes all the same, as many may sit behind one address.
#include "gateway/walk.h"

namespace portcullis::gateway {

Result<void> RefusePenalised(const Call& call) {
  const Peer& peer = call.exchange.peer();
  if (peer.kind != Peer::Kind::kTls) return boost::outcome_v2::success();
  return call.services.penalties.Check(peer.address);
}

Result<Identity> Identify(Call& call) {
  auto who = call.services.identifier.Identify(call.exchange.peer(), call.exchange.head().value());
  if (!who) {
    BOOST_OUTCOME_TRY(RefusePenalised(call));
    return who;
  }
  call.subject = who.value().subject();
  return who;
}

}  // namespace portcullis::gateway
