// The HTTP that tlog-witness needs, and no more: POST add-checkpoint and GET checkpoint, HTTP/1.1 over
// TCP or a Unix socket, no TLS (what travels is signed and public; put a proxy or a tunnel in front where
// the network is not yours). Server: a thread a connection, at most 16, each call bounded in size and
// time. Client: one request a connection.
#pragma once

#include <functional>
#include <string>

#include "audit/error.h"
#include "audit/witness.h"

namespace portcullis::cli {

// "http://host:port" or "unix:/path".
audit::Result<audit::WitnessReply> WitnessPost(const std::string& url, const std::string& target,
                                               const std::string& body);
audit::Result<audit::WitnessReply> WitnessGet(const std::string& url, const std::string& target);

// Serves until the process ends; returns only with an error. `ready` gets the address in use.
audit::Error ServeWitness(audit::Witness& witness, const std::string& listen,
                          const std::function<void(const std::string&)>& ready);

}  // namespace portcullis::cli
