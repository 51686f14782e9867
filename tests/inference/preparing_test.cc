// Preparation off the io thread: turns, bounds, clients that leave, orderly stops. Works are held
// at a gate, so that every order of events is the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <condition_variable>
#include <mutex>

#include "inference/serve/prepare_queue.h"
#include "tests/inference/server_fixture.h"

namespace portcullis::inference {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

// Holds whoever passes until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait_for(lock, kPatience, [&] { return open_; });
  }
  bool WaitForEntered(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return entered_ >= count; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int entered() {
    const std::lock_guard lock(mutex_);
    return entered_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;
  bool open_ = false;
};

template <class Condition>
bool Eventually(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

Caller Tenant(const std::string& name) {
  Caller caller;
  caller.tenant = name;
  return caller;
}

TEST(PrepareQueue, TenantsTakeTurns) {
  boost::asio::io_context io;
  std::vector<std::string> order;
  std::promise<void> all;
  {
    PrepareQueue queue(io.get_executor(), 64);
    for (const char* name : {"a1", "a2", "a3", "b1", "c1"}) {
      const auto work = [&, name](const std::stop_token&) {
        order.push_back(name);
        if (order.size() == 5) all.set_value();
      };
      ASSERT_NE(queue.Enter(Tenant(std::string(name, 1)), 10, work), nullptr);
    }
    EXPECT_EQ(queue.waiting(), 5u);
    queue.Start();
    ASSERT_EQ(all.get_future().wait_for(kPatience), std::future_status::ready);
  }
  EXPECT_THAT(order, testing::ElementsAre("a1", "b1", "c1", "a2", "a3"));
}

TEST(PrepareQueue, IsBoundedInBytesForAllAndForOne) {
  boost::asio::io_context io;
  PrepareQueue queue(io.get_executor(), 16);
  const auto none = [](const std::stop_token&) {};
  EXPECT_EQ(queue.Enter(Tenant("a"), 4 * 1024 * 1024, none), nullptr);
  const auto large = queue.Enter(Tenant("a"), 7 * 32 * 1024, none);
  EXPECT_NE(large, nullptr);
  EXPECT_EQ(queue.Enter(Tenant("a"), 1, none), nullptr);
  EXPECT_NE(queue.Enter(Tenant("b"), 1, none), nullptr);
  large->Leave();
  large->Leave();
  EXPECT_EQ(queue.waiting(), 1u);
  for (int i = 0; i < 8; ++i) EXPECT_NE(queue.Enter(Tenant("a"), 1, none), nullptr) << i;
  EXPECT_EQ(queue.Enter(Tenant("a"), 1, none), nullptr);
}

TEST(PrepareQueue, EndsAreTold) {
  boost::asio::io_context io;
  auto queue = std::make_unique<PrepareQueue>(io.get_executor(), 64);
  std::vector<Preparation::End> ends;
  const auto wait = [&](const std::shared_ptr<Preparation>& task) {
    boost::asio::co_spawn(
        io, task->Wait(),
        [&ends, task](std::exception_ptr, Preparation::End end) { ends.push_back(end); });
  };
  const auto bad =
      queue->Enter(Tenant("a"), 1, [](const std::stop_token&) { throw std::bad_alloc(); });
  const auto left = queue->Enter(Tenant("b"), 1, [](const std::stop_token&) { FAIL(); });
  left->Leave();
  queue->Start();
  wait(bad);
  wait(left);
  const auto done = queue->Enter(Tenant("a"), 1, [](const std::stop_token&) {});
  wait(done);
  io.run();
  EXPECT_THAT(ends,
              testing::UnorderedElementsAre(Preparation::End::kFailed, Preparation::End::kLeft,
                                            Preparation::End::kDone));
  queue->Stop();
  EXPECT_EQ(queue->Enter(Tenant("a"), 1, [](const std::stop_token&) {}), nullptr);
  queue.reset();
  done->Leave();  // outlives the queue
}

// An io_context's executor that has no memory for the first functions it is given.
class Refusing {
 public:
  Refusing(boost::asio::io_context& io, std::shared_ptr<std::atomic<int>> refusals)
      : io_(&io), refusals_(std::move(refusals)) {}

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return *io_; }
  static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  Refusing require(boost::asio::execution::blocking_t::never_t) const { return *this; }
  template <class Function>
  void execute(Function function) const {
    if (--*refusals_ >= 0) throw std::bad_alloc();
    boost::asio::post(*io_, std::move(function));
  }
  bool operator==(const Refusing& other) const noexcept { return io_ == other.io_; }
  bool operator!=(const Refusing& other) const noexcept { return io_ != other.io_; }

 private:
  boost::asio::io_context* io_;
  std::shared_ptr<std::atomic<int>> refusals_;
};

TEST(PrepareQueue, AnEndThatCannotBeToldForLackOfMemoryIsToldLater) {
  boost::asio::io_context io;
  auto busy = std::make_optional(boost::asio::make_work_guard(io));
  const auto refusals = std::make_shared<std::atomic<int>>(0);
  PrepareQueue queue(Refusing(io, refusals), 64);
  const auto task = queue.Enter(Tenant("a"), 1, [&](const std::stop_token&) { *refusals = 3; });
  std::optional<Preparation::End> end;
  boost::asio::co_spawn(io, task->Wait(), [&](std::exception_ptr, Preparation::End how) {
    end = how;
    busy.reset();
  });
  queue.Start();
  io.run_for(kPatience);
  EXPECT_EQ(end, Preparation::End::kDone);
  EXPECT_LT(*refusals, 0);
}

class PreparingTest : public ServerTest {
 protected:
  void StartGated(size_t places = 64) {
    ServerOptions serving;
    serving.prepare_places = places;
    serving.before_prepare_for_test = [this] { gate_.Pass(); };
    Start({kThinkClose, kHello, kEos}, serving);
  }
  void TearDown() override {
    gate_.Open();
    ServerTest::TearDown();
  }
  std::string Ours(const std::string& tenant = "") {
    return Post("/v1/chat/completions", Chat(""), "x-portcullis-tenant: " + tenant + "\r\n");
  }
  bool WaitForWaiting(size_t count) {
    return Eventually(
        [&] { return Body(Ask(Get("/status"))).at("preparing").to_number<size_t>() == count; });
  }
  Gate gate_;
};

TEST_F(PreparingTest, OthersAreAnsweredMeanwhile) {
  StartGated();
  Client client(path());
  client.Send(Ours());
  ASSERT_TRUE(gate_.WaitForEntered(1));
  EXPECT_THAT(Ask(Get("/healthz")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Get("/v1/models")), StartsWith("HTTP/1.1 200"));
  gate_.Open();
  EXPECT_THAT(client.ReadAll(), HasSubstr("hello"));
}

TEST_F(PreparingTest, ALeavingClientLeavesTheLine) {
  StartGated();
  Client first(path());
  first.Send(Ours());
  ASSERT_TRUE(gate_.WaitForEntered(1));
  Client second(path());
  second.Send(Ours());
  ASSERT_TRUE(WaitForWaiting(1));
  second.Leave();
  EXPECT_TRUE(WaitForWaiting(0));  // while the first still holds the thread
  gate_.Open();
  EXPECT_THAT(first.ReadAll(), HasSubstr("hello"));
  EXPECT_EQ(gate_.entered(), 1);
}

TEST_F(PreparingTest, AClientThatSaidAllIsAnsweredAndOneThatLeavesThenIsNot) {
  StartGated();
  Client first(path());
  first.Send(Ours());
  first.EndSending();
  ASSERT_TRUE(gate_.WaitForEntered(1));
  Client second(path());
  second.Send(Ours());
  second.EndSending();
  ASSERT_TRUE(WaitForWaiting(1));
  for (int i = 0; i < 3; ++i) Ask(Get("/healthz"));  // the server had time to see both ends
  EXPECT_TRUE(WaitForWaiting(1));
  second.Leave();
  EXPECT_TRUE(WaitForWaiting(0));
  gate_.Open();
  EXPECT_THAT(first.ReadAll(), HasSubstr("hello"));
  EXPECT_EQ(gate_.entered(), 1);
}

// The same while the answer is computed: the model's steps are held at a gate.
class GeneratingTest : public PreparingTest {
 protected:
  void Begin(Client& client, const std::string& path, const std::string& body) {
    client.Send(Post(path, body));
    client.EndSending();
    ASSERT_TRUE(steps_.WaitForEntered(1));
    for (int i = 0; i < 3; ++i) Ask(Get("/healthz"));
  }
  void SetUp() override {
    PreparingTest::SetUp();
    before_step_ = [this](std::span<const Step>) -> Result<void> {
      steps_.Pass();
      return boost::outcome_v2::success();
    };
    gate_.Open();
    StartGated();
  }
  void TearDown() override {
    steps_.Open();
    PreparingTest::TearDown();
  }
  Gate steps_;
};

TEST_F(GeneratingTest, AClientThatSaidAllIsAnsweredWhole) {
  Client client(path());
  Begin(client, "/v1/chat/completions", Chat(""));
  steps_.Open();
  EXPECT_THAT(client.ReadAll(), HasSubstr("hello"));
}

TEST_F(GeneratingTest, AClientThatSaidAllIsAnsweredAsAStream) {
  Client client(path());
  Begin(client, "/v1/chat/completions", Chat(R"(,"stream":true)"));
  steps_.Open();
  EXPECT_THAT(client.ReadAll(), testing::AllOf(HasSubstr("hello"), HasSubstr("[DONE]")));
}

TEST_F(GeneratingTest, AClientThatSaidAllAndLeavesIsCancelled) {
  Client client(path());
  Begin(client, "/v1/chat/completions", Chat(R"(,"stream":true)"));
  EXPECT_EQ(OnServer([&] { return server_->connections(); }), 1u);
  client.Leave();
  EXPECT_TRUE(Eventually([&] { return OnServer([&] { return server_->connections(); }) == 0; }));
  steps_.Open();
  EXPECT_TRUE(engine_->Drain(std::chrono::steady_clock::now() + kPatience));
  EXPECT_EQ(engine_->counters().cancelled, 1u);
}

TEST_F(PreparingTest, WhatIsPreparedForNobodyIsNotQueued) {
  StartGated();
  Client client(path());
  client.Send(Ours());
  ASSERT_TRUE(gate_.WaitForEntered(1));
  client.Leave();
  EXPECT_TRUE(Eventually([&] { return OnServer([&] { return server_->connections(); }) == 0; }));
  gate_.Open();
  StopServing();
  EXPECT_TRUE(engine_->Drain(std::chrono::steady_clock::now() + kPatience));
  EXPECT_EQ(engine_->counters().prompt_tokens, 0u);
  EXPECT_EQ(engine_->counters().cancelled, 0u);
}

TEST_F(PreparingTest, OneTenantCannotFillTheLine) {
  StartGated(8);
  std::vector<std::unique_ptr<Client>> clients;
  const auto send = [&](const std::string& tenant) {
    clients.push_back(std::make_unique<Client>(path()));
    clients.back()->Send(Ours(tenant));
  };
  send("a");
  ASSERT_TRUE(gate_.WaitForEntered(1));
  for (int i = 0; i < 3; ++i) send("a");
  ASSERT_TRUE(WaitForWaiting(3));
  const std::string refused = Ask(Ours("a"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("\"overloaded\""));
  send("b");
  EXPECT_TRUE(WaitForWaiting(4));
  gate_.Open();
  for (const auto& client : clients) EXPECT_THAT(client->ReadAll(), HasSubstr("hello"));
}

TEST_F(PreparingTest, NothingIsPreparedForAFullEngine) {
  Gate step;
  before_step_ = [&](std::span<const Step>) -> Result<void> {
    step.Pass();
    return boost::outcome_v2::success();
  };
  scheduling_.max_running = 1;
  scheduling_.max_waiting = 1;
  gate_.Open();
  StartGated();
  Client running(path()), waiting(path());
  running.Send(Ours());
  ASSERT_TRUE(step.WaitForEntered(1));
  waiting.Send(Ours());
  ASSERT_TRUE(Eventually([&] { return !engine_->Admits(Caller{}); }));
  EXPECT_THAT(Ask(Ours()), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(gate_.entered(), 2);
  step.Open();
  EXPECT_THAT(running.ReadAll(), HasSubstr("hello"));
  EXPECT_THAT(waiting.ReadAll(), HasSubstr("hello"));
}

TEST_F(PreparingTest, ARefusedRequestKeepsItsConnectionAndTheNextRequestWhole) {
  gate_.Open();
  StartGated();
  Client client(path());
  const std::string bad = R"({"model":"test-model"})";
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: e\r\nContent-Length: " +
              std::to_string(bad.size()) + "\r\n\r\n" + bad + Get("/healthz"));
  const std::string both = client.ReadAll();
  EXPECT_THAT(both, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(both, HasSubstr("HTTP/1.1 200"));
}

TEST_F(PreparingTest, AStopRefusesWhatWaitsAndFinishesWhatRuns) {
  StartGated();
  Client first(path()), second(path());
  first.Send(Ours());
  ASSERT_TRUE(gate_.WaitForEntered(1));
  second.Send(Ours());
  ASSERT_TRUE(WaitForWaiting(1));
  OnServer([&] { return server_->StopAccepting(), 0; });
  EXPECT_THAT(second.ReadAll(), HasSubstr("\"shutting_down\""));
  gate_.Open();
  EXPECT_THAT(first.ReadAll(), HasSubstr("hello"));
  EXPECT_EQ(gate_.entered(), 1);
}

TEST_F(PreparingTest, TheServerMayGoWhileItPrepares) {
  StartGated();
  Client first(path()), second(path());
  first.Send(Ours());
  ASSERT_TRUE(gate_.WaitForEntered(1));
  second.Send(Ours());
  ASSERT_TRUE(WaitForWaiting(1));
  context_.stop();
  thread_.join();
  server_->StopAccepting();  // before the gate opens: the second must not slip through
  gate_.Open();
  server_.reset();
  EXPECT_EQ(gate_.entered(), 1);
}

}  // namespace
}  // namespace portcullis::inference
