#include "inference/serve/listen.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr int kBacklog = 256;

Error System(const std::string& what) {
  return Error{Code::kIo, what + ": " + std::strerror(errno)};
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::exchange(other.path_, {})) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
  if (!path_.empty()) unlink(path_.c_str());
}

Result<ListeningSocket> ListeningSocket::Bind(const std::filesystem::path& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.empty() || name.size() >= sizeof address.sun_path) {
    return Error{Code::kInvalidArgument, "socket path `" + name + "` must have 1 to 107 bytes"};
  }
  std::memcpy(address.sun_path, name.c_str(), name.size());
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);

  struct stat there = {};
  if (lstat(name.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return Error{Code::kIo, "`" + name +
                                  "` exists and is not a socket; remove it or choose "
                                  "another path"};
    }
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool alive = probe >= 0 && connect(probe, plain, sizeof address) == 0;
    if (probe >= 0) close(probe);
    if (alive) return Error{Code::kIo, "another engine already listens at `" + name + "`"};
    if (unlink(name.c_str()) != 0) return System("cannot remove the old socket `" + name + "`");
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return System("cannot make a socket");
  const mode_t before = umask(0117);
  const int bound = bind(fd, plain, sizeof address);
  umask(before);
  if (bound != 0) {
    const Error error = System("cannot bind `" + name + "`");
    close(fd);
    return error;
  }
  return ListeningSocket(fd, path);
}

bool ListeningSocket::Inherited() { return sd_listen_fds(0) > 0; }

Result<ListeningSocket> ListeningSocket::Inherit() {
  const int count = sd_listen_fds(1);
  if (count != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, -1, nullptr, 0) <= 0) {
    return Error{Code::kIo, "LISTEN_FDS must hand over exactly one Unix stream socket"};
  }
  const int flags = fcntl(SD_LISTEN_FDS_START, F_GETFL);
  fcntl(SD_LISTEN_FDS_START, F_SETFL, flags | O_NONBLOCK);
  return ListeningSocket(SD_LISTEN_FDS_START, {});
}

Result<void> ListeningSocket::Listen() {
  if (listen(fd_, kBacklog) != 0) return System("cannot listen on the socket");
  return boost::outcome_v2::success();
}

int ListeningSocket::Release() { return std::exchange(fd_, -1); }

}  // namespace portcullis::inference
