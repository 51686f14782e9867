// The server over a real Unix socket: wire format, refusals, framing walls, leaving clients.
#include "inference/serve/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <future>

#include "tests/inference/server_fixture.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::StartsWith;

// The data of each event of a chunked stream.
std::vector<std::string> Events(const std::string& response) {
  std::string text;
  size_t at = response.find("\r\n\r\n") + 4;
  while (at < response.size()) {
    const size_t size = std::strtoul(response.c_str() + at, nullptr, 16);
    at = response.find("\r\n", at) + 2;
    text += response.substr(at, size);
    at += size + 2;
    if (size == 0) break;
  }
  std::vector<std::string> events;
  for (size_t begin = 0; (begin = text.find("data: ", begin)) != std::string::npos;) {
    const size_t end = text.find("\n\n", begin);
    events.push_back(text.substr(begin + 6, end - begin - 6));
    begin = end;
  }
  return events;
}

const std::vector<TokenId> kThoughtAndAnswer = {'h',  'm',    '\n', kThinkClose, '\n',
                                                '\n', kHello, '!',  kEos};

TEST_F(ServerTest, WholeAnswer) {
  Start(kThoughtAndAnswer);
  const std::string response =
      Ask(Post("/v1/chat/completions", Chat(R"(,"n":2)"), "x-request-id: abc-1\r\n"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("x-request-id: abc-1\r\n"));
  const json::value body = Body(response);
  EXPECT_EQ(body.at("object"), "chat.completion");
  EXPECT_EQ(body.at("model"), "test-model");
  ASSERT_EQ(body.at("choices").as_array().size(), 2u);
  const json::value& choice = body.at("choices").at(1);
  EXPECT_EQ(choice.at("message").at("content"), "hello!");
  EXPECT_EQ(choice.at("message").at("reasoning_content"), "hm");
  EXPECT_EQ(choice.at("finish_reason"), "stop");
  const json::value& usage = body.at("usage");
  EXPECT_EQ(usage.at("completion_tokens"), 18);
  EXPECT_EQ(usage.at("completion_tokens_details").at("reasoning_tokens"), 8);
  EXPECT_EQ(usage.at("prompt_cache_miss_tokens"), usage.at("prompt_tokens"));
}

TEST_F(ServerTest, StreamToTheLetter) {
  Start(kThoughtAndAnswer);
  const std::string response = Ask(Post(
      "/v1/chat/completions", Chat(R"(,"stream":true,"stream_options":{"include_usage":true})")));
  EXPECT_THAT(response, HasSubstr("Content-Type: text/event-stream\r\n"));
  const auto events = Events(response);
  ASSERT_GE(events.size(), 6u);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string reasoning, content, id;
  int phase = 0;  // 0 role, 1 reasoning, 2 content, 3 finished, 4 usage
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    const json::value event = json::parse(events[i]);
    if (i == 0) id = event.at("id").as_string();
    EXPECT_EQ(event.at("id").as_string(), id);
    EXPECT_EQ(event.at("object"), "chat.completion.chunk");
    if (event.at("choices").as_array().empty()) {
      EXPECT_EQ(phase, 3);
      phase = 4;
      EXPECT_EQ(event.at("usage").at("completion_tokens"), 9);
      continue;
    }
    EXPECT_TRUE(event.at("usage").is_null());
    const json::object& delta = event.at("choices").at(0).at("delta").as_object();
    if (i == 0) {
      EXPECT_EQ(delta, (json::object{{"role", "assistant"}, {"content", ""}}));
      continue;
    }
    EXPECT_FALSE(delta.contains("role"));
    if (delta.empty()) {
      EXPECT_EQ(event.at("choices").at(0).at("finish_reason"), "stop");
      phase = 3;
    } else if (delta.contains("reasoning_content")) {
      EXPECT_LE(phase, 1);
      phase = 1;
      reasoning += delta.at("reasoning_content").as_string();
    } else {
      EXPECT_LE(phase, 2);
      phase = 2;
      content += delta.at("content").as_string();
    }
  }
  EXPECT_EQ(phase, 4);
  EXPECT_EQ(reasoning, "hm");
  EXPECT_EQ(content, "hello!");
}

TEST_F(ServerTest, ThinkingDisabledAnswersAtOnce) {
  Start({kHello, kEos});
  const json::value body =
      Body(Ask(Post("/v1/chat/completions", Chat(R"(,"thinking":{"type":"disabled"})"))));
  EXPECT_EQ(body.at("choices").at(0).at("message").at("content"), "hello");
  EXPECT_EQ(body.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 0);
}

TEST_F(ServerTest, LogprobsCoverTheContent) {
  Start(kThoughtAndAnswer);
  const json::value body =
      Body(Ask(Post("/v1/chat/completions", Chat(R"(,"logprobs":true,"top_logprobs":2)"))));
  std::string content;
  for (const auto& token : body.at("choices").at(0).at("logprobs").at("content").as_array()) {
    content += token.at("token").as_string();
    EXPECT_LE(token.at("logprob").as_double(), 0);
    EXPECT_EQ(token.at("top_logprobs").as_array().size(), 2u);
  }
  EXPECT_THAT(content, testing::EndsWith("hello!"));
}

TEST_F(ServerTest, ModelsAndHealth) {
  Start({});
  const json::value models = Body(Ask(Get("/v1/models")));
  const json::value& model = models.at("data").at(0);
  EXPECT_EQ(model.at("id"), "test-model");
  EXPECT_EQ(model.at("portcullis").at("sha256").as_string(), std::string(64, 'a'));
  EXPECT_EQ(model.at("portcullis").at("context_length"), 4096);
  EXPECT_EQ(Body(Ask(Get("/v1/models/test-model"))), model);
  EXPECT_EQ(Body(Ask(Get("/v1/models/test%2Dmodel?x=1"))), model);
  for (const char* other : {"other", "test-mode%", "test-model/", "test-model%2"}) {
    const std::string answer = Ask(Get(std::string("/v1/models/") + other));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 404")) << other;
    EXPECT_THAT(answer, HasSubstr("model_not_found")) << other;
  }
  EXPECT_THAT(Ask(Get("/v1/models/")), HasSubstr("unknown_route"));
  EXPECT_THAT(Ask(Post("/v1/models/test-model", "{}")), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Ask(Get("/healthz")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Get("/readyz")), HasSubstr("\"ready\""));
}

TEST_F(ServerTest, TheAnswerSaysWhetherTheConnectionStays) {
  Start({});
  EXPECT_THAT(Ask(Get("/healthz")), HasSubstr("\r\nConnection: close\r\n"));
  Client client(path());
  client.Send("GET /healthz HTTP/1.1\r\nHost: engine\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\"ok\"}"), HasSubstr("\r\nConnection: keep-alive\r\n"));
}

TEST_F(ServerTest, RefusalsHaveStatusAndCode) {
  Start({});
  const auto code = [&](const std::string& request) {
    const std::string response = Ask(request);
    return response.substr(9, 3) + " " +
           std::string(Body(response).at("error").at("code").as_string());
  };
  EXPECT_EQ(code(Post("/v1/chat/completions", "{")), "400 invalid_json");
  EXPECT_EQ(code(Post("/v1/chat/completions",
                      R"({"model":"x","messages":[{"role":"user","content":"y"}]})")),
            "404 model_not_found");
  EXPECT_EQ(code(Post("/v1/chat/completions", Chat(R"(,"max_tokens":4096)"))),
            "400 context_length_exceeded");
  EXPECT_EQ(code(Get("/v1/chat/completions")), "405 method_not_allowed");
  EXPECT_EQ(code(Get("/v1/secrets")), "404 unknown_route");
}

TEST_F(ServerTest, FramingWalls) {
  Start({});
  const std::string line = "POST /v1/completions HTTP/1.1\r\nHost: e\r\n";
  EXPECT_THAT(Ask(line + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 411"));
  EXPECT_THAT(Ask(line + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"),
              StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Ask(line + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(line + "Content-Length: 2, 2\r\n\r\n{}"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(line + "\r\n"), StartsWith("HTTP/1.1 411"));
  EXPECT_THAT(Ask("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("GET /healthz HTTP/1.0\r\nHost: e\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(line + "Content-Length: 99999999\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Ask(line + "X: " + std::string(20000, 'a') + "\r\n\r\n"), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(ServerTest, AMidStreamFailureIsAnEvent) {
  auto steps = std::make_shared<std::atomic<int>>(0);
  before_step_ = [steps](std::span<const Step>) -> Result<void> {
    if (++*steps == 3) return Error{Code::kBadTensor, "logits are not finite"};
    return boost::outcome_v2::success();
  };
  Start(Bytes("abcdef"));
  const auto events = Events(Ask(Post("/v1/chat/completions", Chat(R"(,"stream":true)"))));
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(json::parse(events.back()).at("error").at("code"), "internal_error");
}

TEST_F(ServerTest, ALeavingClientCancelsEvenWhileNoTokenIsDue) {
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, open = false;
  before_step_ = [&](std::span<const Step>) -> Result<void> {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return open; });
    return boost::outcome_v2::success();
  };
  Start(Bytes(std::string(3000, 'x')));
  Client client(path());
  client.Send(Post("/v1/chat/completions", Chat(R"(,"stream":true,"max_tokens":3000)")));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return entered; }));
  }
  client.Leave();
  // The server has seen the leaving once it has closed its side.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto connections = [&] {
    std::promise<size_t> count;
    boost::asio::post(context_, [&] { count.set_value(server_->connections()); });
    return count.get_future().get();
  };
  while (connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(connections(), 0u);
  {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  EXPECT_TRUE(engine_->Drain(deadline));
  EXPECT_LE(engine_->counters().generated_tokens, 1u);
}

TEST_F(ServerTest, WaitingClientsGetKeepAliveComments) {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  before_step_ = [&](std::span<const Step>) -> Result<void> {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return open; });
    return boost::outcome_v2::success();
  };
  ServerOptions serving;
  serving.keep_alive = std::chrono::milliseconds(5);
  Start({kThinkClose, kHello, kEos}, serving);
  Client client(path());
  client.Send(Post("/v1/chat/completions", Chat(R"(,"stream":true)")));
  EXPECT_THAT(client.ReadUntil(": keep-alive\n\n"), HasSubstr(": keep-alive\n\n"));
  {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  EXPECT_THAT(client.ReadAll(), HasSubstr("data: [DONE]"));
}

TEST_F(ServerTest, SocketFileIsPrivateAndOnlySocketsAreReplaced) {
  Start({});
  struct stat status = {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  const auto second = ListeningSocket::Bind(path());
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("another engine"));

  const auto file = folder_ / "notes.txt";
  std::ofstream(file) << "keep me";
  const auto refused = ListeningSocket::Bind(file);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("not a socket"));
  EXPECT_TRUE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace portcullis::inference
