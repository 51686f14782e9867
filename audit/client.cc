#include "audit/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace portcullis::audit {
namespace {

Error Refused(uint32_t code, std::string words) {
  return Error{static_cast<Code>(code), std::move(words)};
}

}  // namespace

Result<Client> Client::Connect(const std::filesystem::path& socket, std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::kInvalidArgument, "socket path `" + path + "` is too long"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Client client;
  client.fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!client.fd_.valid()) return ErrnoError("cannot make a socket for", socket, errno);
  const timeval limit{static_cast<time_t>(timeout.count() / 1000),
                      static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  ::setsockopt(client.fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(client.fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(client.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoError("cannot reach auditd at", socket, errno);
  }
  return client;
}

Result<FromAuditd> Client::Exchange(std::string_view frame) {
  while (!frame.empty()) {
    const ssize_t put = ::send(fd_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoError("cannot write to", "auditd", errno);
    frame.remove_prefix(static_cast<size_t>(put));
  }
  std::array<char, 16384> chunk;
  for (;;) {
    BOOST_OUTCOME_TRY(auto reply, reader_.NextReply());
    if (reply) return std::move(*reply);
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("no answer from", "auditd", errno);
    if (got == 0) return Error{Code::kIo, "auditd closed the connection"};
    reader_.Feed({chunk.data(), static_cast<size_t>(got)});
  }
}

Result<Ack> Client::Append(std::span<const Event> events) {
  BOOST_OUTCOME_TRY(const std::string frame, EncodeAppend(++correlation_, events));
  BOOST_OUTCOME_TRY(FromAuditd reply, Exchange(frame));
  Ack* ack = std::get_if<Ack>(&reply);
  if (ack == nullptr || ack->correlation != correlation_) {
    return Error{Code::kBadFrame, "auditd sent an unexpected reply"};
  }
  if (!ack->durable) return Refused(ack->error_code, ack->error);
  return std::move(*ack);
}

Result<Status> Client::GetStatus() {
  BOOST_OUTCOME_TRY(FromAuditd reply, Exchange(EncodeStatusRequest(++correlation_)));
  if (Status* status = std::get_if<Status>(&reply)) return std::move(*status);
  return Error{Code::kBadFrame, "auditd sent an unexpected reply"};
}

Result<Proof> Client::GetProof(uint64_t seq, std::string_view subject) {
  BOOST_OUTCOME_TRY(FromAuditd reply, Exchange(EncodeProofRequest(++correlation_, seq, subject)));
  Proof* proof = std::get_if<Proof>(&reply);
  if (proof == nullptr) return Error{Code::kBadFrame, "auditd sent an unexpected reply"};
  if (proof->error_code != 0) return Refused(proof->error_code, proof->error);
  return std::move(*proof);
}

Result<std::string> Client::Act(std::string name, std::map<std::string, std::string> arguments) {
  BOOST_OUTCOME_TRY(FromAuditd reply,
                    Exchange(EncodeAct({++correlation_, std::move(name), std::move(arguments)})));
  ActReply* answer = std::get_if<ActReply>(&reply);
  if (answer == nullptr) return Error{Code::kBadFrame, "auditd sent an unexpected reply"};
  if (answer->error_code != 0) return Refused(answer->error_code, answer->error);
  return std::move(answer->text);
}

}  // namespace portcullis::audit
