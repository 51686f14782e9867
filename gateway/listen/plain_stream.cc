// recv and send on a non-blocking Unix socket.
#include "gateway/listen/plain_stream.h"

#include <sys/socket.h>

#include <cerrno>

namespace portcullis::gateway {

Stream::Outcome PlainStream::Read(char* data, size_t size) {
  while (true) {
    const ssize_t n = ::recv(fd_, data, size, 0);
    if (n > 0) return {Status::kOk, static_cast<size_t>(n)};
    if (n == 0) return {Status::kEnd};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Status::kWantRead};
    if (errno != EINTR) return {Status::kFailed};
  }
}

Stream::Outcome PlainStream::Write(const char* data, size_t size) {
  while (true) {
    const ssize_t n = ::send(fd_, data, size, MSG_NOSIGNAL);
    if (n >= 0) return {Status::kOk, static_cast<size_t>(n)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Status::kWantWrite};
    if (errno != EINTR) return {Status::kFailed};
  }
}

void PlainStream::Describe(Peer& peer) const {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.uid = credentials.uid;
    peer.gid = credentials.gid;
    peer.pid = credentials.pid;
  }
}

}  // namespace portcullis::gateway
