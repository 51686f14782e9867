// The command line as a client of a running gateway: HTTP over its administration socket, where the
// kernel tells the gateway who is asking. Blocking; one call at a time.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "gateway/cli/command.h"

namespace portcullis::cli {

// --socket, else $PORTCULLIS_SOCKET, else build/demo/run/admin.sock when it is there, else
// /run/portcullis/admin.sock.
void AddSocketOption(CLI::App& command, std::string& socket);
std::string FindSocket(const std::string& given);

struct RemoteAnswer {
  bool ok = false;            // otherwise Fail() has been called
  boost::json::value document;
};

RemoteAnswer CallGateway(Context& context, const std::string& socket, const std::string& method,
                         const std::string& path, const boost::json::value& body);

}  // namespace portcullis::cli
