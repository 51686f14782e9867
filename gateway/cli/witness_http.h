// The HTTP that tlog-witness needs, and no more: POST add-checkpoint and GET checkpoint, HTTP/1.1 over
// TCP or a Unix socket, no TLS (what travels is signed and public; put a proxy or a tunnel in front where
// the network is not yours). One thread; every message is bounded in size and in time, from its first
// byte to its last, so that a silent peer holds neither side up. Client: one request a connection.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "audit/error.h"
#include "audit/witness.h"

namespace portcullis::cli {

struct WitnessLimits {
  std::chrono::milliseconds message{10'000};  // for a connection, a request or an answer
  int connections = 256;                      // more are closed at once
};

// "http://host:port" or "unix:/path".
audit::Result<audit::WitnessReply> WitnessPost(const std::string& url, const std::string& target,
                                               const std::string& body, const WitnessLimits& limits = {});
audit::Result<audit::WitnessReply> WitnessGet(const std::string& url, const std::string& target,
                                              const WitnessLimits& limits = {});

// Serves until the process ends; returns only with an error. `ready` gets the address in use.
audit::Error ServeWitness(audit::Witness& witness, const std::string& listen, const WitnessLimits& limits,
                          const std::function<void(const std::string&)>& ready);

}  // namespace portcullis::cli
