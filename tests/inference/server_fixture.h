// A server with a scripted model on a real Unix socket, and a client of it that reads and writes
// bytes as they are.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "inference/serve/listen.h"
#include "inference/serve/server.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {

class Client {
 public:
  explicit Client(const std::filesystem::path& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval limit = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { Leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Until `mark` was read, or the end.
  std::string ReadUntil(const std::string& mark) {
    char part[4096];
    while (mark.empty() || text_.find(mark) == std::string::npos) {
      const ssize_t n = recv(fd_, part, sizeof part, 0);
      if (n <= 0) break;
      text_.append(part, static_cast<size_t>(n));
    }
    return text_;
  }
  std::string ReadAll() { return ReadUntil(""); }
  // No more will be sent; what comes is still read.
  void EndSending() { EXPECT_EQ(shutdown(fd_, SHUT_WR), 0); }
  void Leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool connected_ = false;
  std::string text_;
};

inline std::string Post(const std::string& path, const std::string& body,
                        const std::string& more = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: engine\r\n" + more + "Connection: close\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string Get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
}

// The body of a whole answer.
inline boost::json::value Body(const std::string& response) {
  return boost::json::parse(response.substr(response.find("\r\n\r\n") + 4));
}

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/portcullis-engine-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void Start(std::vector<TokenId> script, ServerOptions serving = {}) {
    auto model = std::make_unique<ScriptedModel>(std::move(script));
    model->before_step = before_step_;
    model_ = model.get();
    EngineOptions options;
    options.name = "test-model";
    options.scheduler = scheduling_;
    auto engine = Engine::Create(std::move(model), TestTokenizer(kR1Template), options);
    ASSERT_TRUE(engine.has_value());
    engine_ = std::move(engine).value();
    auto socket = ListeningSocket::Bind(path());
    ASSERT_TRUE(socket.has_value());
    socket_.emplace(std::move(socket).value());
    ASSERT_TRUE(socket_->Listen().has_value());
    server_ = std::make_unique<Server>(context_, socket_->Release(), *engine_, serving, log_);
    server_->Start();
    thread_ = std::thread([this] { context_.run(); });
  }
  void StopServing() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }
  void TearDown() override {
    StopServing();
    engine_.reset();
    socket_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path path() const { return folder_ / "engine.sock"; }
  std::string Ask(const std::string& bytes) {
    Client client(path());
    EXPECT_TRUE(client.connected());
    client.Send(bytes);
    return client.ReadAll();
  }
  // Something of the server, asked on its thread.
  template <class Function>
  auto OnServer(Function function) {
    std::packaged_task<decltype(function())()> task(function);
    auto answer = task.get_future();
    boost::asio::post(context_, [&] { task(); });
    return answer.get();
  }
  static std::string Chat(const std::string& fields) {
    return R"({"model":"test-model","temperature":0,"messages":[{"role":"user","content":"Hi"}])" +
           fields + "}";
  }

  std::filesystem::path folder_;
  std::function<Result<void>(std::span<const Step>)> before_step_;
  SchedulerOptions scheduling_;
  std::shared_ptr<spdlog::logger> log_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  boost::asio::io_context context_{1};
  std::unique_ptr<Engine> engine_;
  std::optional<ListeningSocket> socket_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  ScriptedModel* model_ = nullptr;
};

}  // namespace portcullis::inference
