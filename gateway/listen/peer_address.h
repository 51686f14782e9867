// Fills the address of a Peer from what accept() returned; IPv4-mapped IPv6 becomes IPv4, so that
// limits and policies see one form. Pure; unknown families leave the peer as it was.
#pragma once

#include <sys/socket.h>

#include "gateway/listen/peer.h"

namespace portcullis::gateway {

void SetAddress(const sockaddr_storage& from, Peer& peer);

}  // namespace portcullis::gateway
