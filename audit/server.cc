#include "audit/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <deque>
#include <memory>
#include <vector>

#include "audit/file.h"
#include "audit/protocol.h"

namespace portcullis::audit {
namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol::socket;

constexpr size_t kMaxInFlight = 1024;
constexpr size_t kMaxReplies = 4096;
constexpr size_t kReadChunk = 64 << 10;

}  // namespace

// Lives as long as its reading coroutine or a callback of the writer holds it.
class Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(asio::io_context& io, Stream stream, Server& server, uid_t uid)
      : io_(io), stream_(std::move(stream)), log_(server.options_.log), writer_(server.writer_), uid_(uid),
        admin_(uid == 0 || uid == ::geteuid() || server.options_.admin_uids.contains(uid)),
        connections_(server.connections_) {
    ++*connections_;
  }
  ~Session() { --*connections_; }

  asio::awaitable<void> Read() {
    const auto self = shared_from_this();
    std::vector<char> chunk(kReadChunk);
    FrameReader reader;
    while (!closed_) {
      boost::system::error_code error;
      const size_t got = co_await stream_.async_read_some(
          asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      reader.Feed({chunk.data(), got});
      if (!Drain(reader)) break;
      while (in_flight_ >= kMaxInFlight && !closed_) {
        asio::steady_timer pause(io_, std::chrono::milliseconds(5));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
    Close();
  }

 private:
  bool Drain(FrameReader& reader) {
    for (;;) {
      auto next = reader.NextRequest();
      if (!next) {
        log_("a client was dropped: " + next.error().message);
        return false;
      }
      if (!next.value()) return true;
      std::visit([this](auto& request) { Handle(std::move(request)); }, *next.value());
    }
  }

  // The writer's callbacks come on its thread, once each; replies are sent from the I/O thread, which
  // also gets the session itself back, so that a session always ends there.
  auto Replier() {
    ++in_flight_;
    return [self = shared_from_this()](std::string frame) mutable {
      asio::io_context& io = self->io_;
      asio::post(io, [self = std::move(self), frame = std::move(frame)]() mutable {
        --self->in_flight_;
        self->Send(std::move(frame));
      });
    };
  }

  void Handle(Append append) {
    for (const Event& event : append.events) {
      if (IsInternal(event.kind)) {
        Ack ack;
        ack.correlation = append.correlation;
        ack.error_code = static_cast<uint32_t>(Code::kInvalidEvent);
        ack.error = "only auditd itself writes " + std::string(KindName(event.kind)) + " records";
        return Send(EncodeAck(ack));
      }
    }
    writer_.Submit(std::move(append),
                   [reply = Replier()](const Ack& ack) mutable { reply(EncodeAck(ack)); });
  }

  void Handle(StatusRequest request) {
    Status status = writer_.GetStatus();
    status.correlation = request.correlation;
    Send(EncodeStatus(status));
  }

  void Handle(ProofRequest request) {
    writer_.SubmitProof(request, [reply = Replier()](const Proof& proof) mutable { reply(EncodeProof(proof)); });
  }

  void Handle(ActRequest request) {
    if (!admin_ && !request.name.starts_with("witness-")) {
      ActReply reply;
      reply.correlation = request.correlation;
      reply.error_code = static_cast<uint32_t>(Code::kPermission);
      reply.error = "this act is for administrators (--admin-uid)";
      return Send(EncodeActReply(reply));
    }
    writer_.SubmitAct(std::move(request), uid_,
                      [reply = Replier()](const ActReply& done) mutable { reply(EncodeActReply(done)); });
  }

  void Send(std::string frame) {
    if (closed_) return;
    if (replies_.size() >= kMaxReplies) return Close();
    replies_.push_back(std::move(frame));
    if (replies_.size() == 1) WriteNext();
  }

  void WriteNext() {
    asio::async_write(stream_, asio::buffer(replies_.front()),
                      [self = shared_from_this()](const boost::system::error_code& error, size_t) {
                        if (error) return self->Close();
                        self->replies_.pop_front();
                        if (!self->replies_.empty()) self->WriteNext();
                      });
  }

  void Close() {
    if (std::exchange(closed_, true)) return;
    boost::system::error_code ignored;
    stream_.shutdown(Stream::shutdown_both, ignored);
    stream_.close(ignored);
  }

  asio::io_context& io_;
  Stream stream_;
  const std::function<void(const std::string&)> log_;
  Writer& writer_;
  const uid_t uid_;
  const bool admin_;
  const std::shared_ptr<size_t> connections_;
  std::deque<std::string> replies_;
  size_t in_flight_ = 0;
  bool closed_ = false;
};

Server::Server(asio::io_context& io, ServerOptions options, Writer& writer)
    : io_(io), options_(std::move(options)), writer_(writer), acceptor_(io) {}

Result<void> Server::Listen() {
  boost::system::error_code error;
  if (options_.inherited_fd >= 0) {
    acceptor_.assign(asio::local::stream_protocol(), options_.inherited_fd, error);
    if (error) return ErrnoError("cannot use the inherited socket", "LISTEN_FDS", error.value());
  } else {
    const std::filesystem::path path = options_.socket_path;
    if (options_.socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
      return Error{Code::kInvalidArgument, "socket path `" + options_.socket_path +
                                               "` is longer than 107 bytes; use a shorter one"};
    }
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) {
      if (!S_ISSOCK(info.st_mode)) {
        return Error{Code::kExists, "`" + options_.socket_path + "` is in the way and is not a socket"};
      }
      ::unlink(path.c_str());  // the log's lock says that no other auditd serves it
    }
    acceptor_.open(asio::local::stream_protocol(), error);
    const mode_t old_mask = ::umask(0117);
    if (!error) acceptor_.bind(asio::local::stream_protocol::endpoint(options_.socket_path), error);
    ::umask(old_mask);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return ErrnoError("cannot listen on", path, error.value());
  }
  asio::co_spawn(io_, Accept(), asio::detached);
  return Ok();
}

void Server::Close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  if (!options_.socket_path.empty()) ::unlink(options_.socket_path.c_str());
}

bool Server::Allowed(int fd, uid_t& uid) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  uid = peer.uid;
  return options_.allowed_uids.contains(peer.uid);
}

asio::awaitable<void> Server::Accept() {
  for (;;) {
    boost::system::error_code error;
    Stream stream =
        co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {
      // Out of descriptors or memory: others may give some back.
      asio::steady_timer pause(io_, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    uid_t uid = 0;
    if (!Allowed(stream.native_handle(), uid)) {
      options_.log("a connection of user " + std::to_string(uid) + " was refused");
      continue;
    }
    if (*connections_ >= options_.max_connections) {
      options_.log("a connection was refused: too many");
      continue;
    }
    const auto session = std::make_shared<Session>(io_, std::move(stream), *this, uid);
    asio::co_spawn(io_, session->Read(), asio::detached);
  }
}

}  // namespace portcullis::audit
