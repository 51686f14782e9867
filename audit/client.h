// A small blocking client of auditd's socket, for programs that append or ask now and then (the CLI,
// tests). The gateway speaks protocol.h with its own asynchronous I/O. Not thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "audit/error.h"
#include "audit/file.h"
#include "audit/protocol.h"

namespace portcullis::audit {

class Client {
 public:
  static Result<Client> Connect(const std::filesystem::path& socket,
                                std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Each waits for its reply. A refusal comes back as an error with the code of the reply.
  Result<Ack> Append(std::span<const Event> events);
  Result<Status> GetStatus();
  // Empty subject: of any record, for tools on the box.
  Result<Proof> GetProof(uint64_t seq, std::string_view subject = {});
  Result<std::string> Act(std::string name, std::map<std::string, std::string> arguments);

 private:
  Client() = default;
  Result<FromAuditd> Exchange(std::string_view frame);

  Fd fd_;
  FrameReader reader_;
  uint64_t correlation_ = 0;
};

}  // namespace portcullis::audit
