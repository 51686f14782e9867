// Step "identify" of the walk: turns proof into an Identity, or refuses.
//   api listener     Authorization: Bearer pk_…
//   admin listener   the SAN URI of a verified client certificate
//   unix socket      the uid given by SO_PEERCRED
// There is one constant refusal (kUnauthenticated) for unknown, revoked, expired, malformed and
// missing proof. A well-formed and a malformed key take the same path: hash, look up, compare.
// Threading: Identify is const, takes no lock, does no I/O, and may run on every thread at once.
#pragma once

#include <sys/types.h>

#include <span>
#include <string_view>
#include <vector>

#include "gateway/error.h"
#include "gateway/http/message.h"
#include "gateway/identify/api_key.h"
#include "gateway/identify/identity.h"
#include "gateway/listen/peer.h"
#include "gateway/state/clock.h"
#include "gateway/state/store.h"

namespace portcullis::gateway {

struct IdentifierOptions {
  // uids besides root and the gateway's own that are administrators on the unix socket.
  std::vector<uid_t> admin_uids{};
};

class Identifier {
 public:
  // All three must outlive the Identifier.
  Identifier(const Store& store, const KeyHasher& hasher, const Clock& clock,
             IdentifierOptions options);

  Result<Identity> Identify(const Peer& peer, const http::RequestHead& head) const;

  // The three proofs one by one; Identify chooses by listener. `authorization` holds the values of
  // all Authorization fields of the request: anything but exactly one is refused.
  Result<Identity> ByBearer(std::span<const std::string_view> authorization) const;
  Result<Identity> ByCertificate(std::string_view san_uri) const;
  Result<Identity> ByUid(uid_t uid) const;

 private:
  const Store& store_;
  const KeyHasher& hasher_;
  const Clock& clock_;
  IdentifierOptions options_;
};

}  // namespace portcullis::gateway
