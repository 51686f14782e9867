// socket, bind, listen.
#include "gateway/listen/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "gateway/listen/peer_address.h"

namespace portcullis::gateway {
namespace {

constexpr int kBacklog = 1024;

// Closes a descriptor unless it was released.
class Guard {
 public:
  explicit Guard(int fd) : fd_(fd) {}
  ~Guard() {
    if (fd_ >= 0) ::close(fd_);
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error Trouble(const std::string& what, int code) {
  const char* hint = "";
  if (code == EADDRINUSE) hint = ": another program uses it; choose another one or stop that program";
  if (code == EACCES) hint = ": not permitted; ports below 1024 need CAP_NET_BIND_SERVICE";
  if (code == EADDRNOTAVAIL) hint = ": this machine does not have that address";
  return Error{Code::kIo, "cannot listen on " + what + ": " + std::generic_category().message(code) +
                              hint};
}

}  // namespace

Result<ListeningSocket> ListenTcp(const boost::asio::ip::address& address, uint16_t port,
                                  PortShare share) {
  const std::string name = (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) +
                           ":" + std::to_string(port);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address.to_v4().to_uint());
    std::memcpy(&storage, &in, size = sizeof(in));
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_scope_id = static_cast<uint32_t>(address.to_v6().scope_id());
    const auto bytes = address.to_v6().to_bytes();
    std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &in, size = sizeof(in));
  }
  Guard fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto set = [&fd](int option) {
    const int on = 1;
    return ::setsockopt(fd.get(), SOL_SOCKET, option, &on, sizeof(on)) == 0;
  };
  // The first becomes shareable once it listens: until then nobody else can have listened here.
  const bool alone = share == PortShare::kAlone;
  const bool listening = fd.get() >= 0 && set(SO_REUSEADDR) && (alone || set(SO_REUSEPORT)) &&
                         ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0 &&
                         ::listen(fd.get(), kBacklog) == 0 && (!alone || set(SO_REUSEPORT));
  if (!listening) return Trouble("`" + name + "`", errno);
  return AdoptListening(fd.Release());
}

Result<ListeningSocket> ListenUnix(const std::filesystem::path& path, unsigned mode) {
  const std::string name = "`" + path.string() + "`";
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof(un.sun_path) || path.empty()) {
    return Error{Code::kConfig, "socket path " + name + " must have 1 to 107 bytes"};
  }
  std::memcpy(un.sun_path, path.c_str(), path.native().size() + 1);
  const auto* const address = reinterpret_cast<const sockaddr*>(&un);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Error{Code::kConfig, name + " exists and is not a socket: move it away"};
    }
    const Guard probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), address, sizeof(un)) == 0) return Trouble(name, EADDRINUSE);
    ::unlink(path.c_str());
  }
  Guard fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // The mode is set before listen(): nobody can connect in between.
  if (fd.get() < 0 || ::bind(fd.get(), address, sizeof(un)) != 0 ||
      ::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return Trouble(name, errno);
  }
  return AdoptListening(fd.Release());
}

Result<ListeningSocket> AdoptListening(int raw) {
  Guard fd(raw);
  ListeningSocket result;
  int listening = 0;
  socklen_t size = sizeof(listening);
  sockaddr_storage address{};
  socklen_t address_size = sizeof(address);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &address_size) != 0) {
    return Error{Code::kConfig, "descriptor " + std::to_string(raw) + " is not a listening socket"};
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return Trouble("descriptor " + std::to_string(raw), errno);
  }
  Peer self;
  SetAddress(address, self);
  result.port = self.port;
  result.is_unix = address.ss_family == AF_UNIX;
  result.fd = fd.Release();
  return result;
}

}  // namespace portcullis::gateway
