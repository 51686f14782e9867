// Step "identify": proof or no call.
#include "gateway/walk.h"

namespace portcullis::gateway {

Result<Identity> Identify(Call& call) {
  auto who = call.services.identifier.Identify(call.exchange.peer(), call.exchange.head().value());
  if (who) call.subject = who.value().subject();
  return who;
}

}  // namespace portcullis::gateway
