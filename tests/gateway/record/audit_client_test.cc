// The client of one core against an auditd made by hand: what is done about a log that refuses, is slow or
// answers when nobody waits any more.

#include "gateway/record/audit_client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <functional>
#include <set>

#include "audit/error.h"

namespace portcullis::gateway {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);

audit::Event Make(audit::Kind kind, uint8_t request = 1) {
  audit::Event event;
  event.kind = kind;
  event.request_id.fill(request);
  event.parent_seq = kind == audit::Kind::kReq ? audit::kNoParent : 7;
  event.parts.push_back({audit::PartType::kMetadata, R"({"request":"r"})"});
  return event;
}

std::vector<audit::Event> Opening() {
  std::vector<audit::Event> events{Make(audit::Kind::kReq), Make(audit::Kind::kDecision)};
  events[1].parent_seq = audit::kParentFirst;
  return events;
}

audit::Ack Durable(const audit::Append& append) {
  audit::Ack ack;
  ack.correlation = append.correlation;
  ack.durable = true;
  ack.seqs.assign(append.events.size(), 42);
  ack.leaf_hashes.resize(append.events.size());
  return ack;
}

audit::Ack Refusal(const audit::Append& append, audit::Code code) {
  audit::Ack ack;
  ack.correlation = append.correlation;
  ack.error_code = static_cast<uint32_t>(code);
  ack.error = "refused";
  return ack;
}

class AuditClientTest : public ::testing::Test {
 protected:
  using Answer = std::function<std::optional<audit::Ack>(const audit::Append&)>;

  void SetUp() override {
    std::string name = "/tmp/portcullis-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    acceptor_.open(asio::local::stream_protocol());
    acceptor_.bind(asio::local::stream_protocol::endpoint((folder_ / "auditd.sock").string()));
    acceptor_.listen();
    asio::co_spawn(io_, Serve(), asio::detached);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Run(std::function<asio::awaitable<void>()> body) {
    asio::co_spawn(io_, body(), [this](const std::exception_ptr& error) {
      ended_ = true;
      io_.stop();
      if (error) std::rethrow_exception(error);
    });
    io_.run_for(20s);
    EXPECT_TRUE(ended_) << "not within 20 s, after " << appends_.size() << " appends";
  }
  asio::awaitable<void> Wait(std::chrono::milliseconds time) {
    asio::steady_timer timer(io_, time);
    co_await timer.async_wait(kQuiet);
  }
  asio::awaitable<void> UntilThereAre(size_t count) {
    while (appends_.size() < count) co_await Wait(2ms);
  }
  void Say(const audit::Ack& ack) { Send(audit::EncodeAck(ack)); }

  asio::io_context io_{1};
  std::filesystem::path folder_;
  std::vector<audit::Append> appends_;  // as they came
  Answer answer_ = Durable;             // nothing: none
  bool writable_ = true;

 private:
  asio::awaitable<void> Serve() {
    co_await acceptor_.async_accept(peer_, asio::use_awaitable);
    audit::FrameReader reader;
    std::array<char, 65536> buffer;
    for (;;) {
      auto [error, size] = co_await peer_.async_read_some(asio::buffer(buffer), kQuiet);
      if (error) co_return;
      reader.Feed(std::span<const char>(buffer.data(), size));
      for (;;) {
        auto next = reader.NextRequest();
        if (!next || !next.value()) break;
        Take(*next.value());
      }
    }
  }
  void Take(const audit::ToAuditd& request) {
    if (const auto* append = std::get_if<audit::Append>(&request)) {
      appends_.push_back(*append);
      if (const auto ack = answer_(*append)) Say(*ack);
    }
    if (const auto* question = std::get_if<audit::StatusRequest>(&request)) {
      audit::Status status;
      status.correlation = question->correlation;
      status.writable = writable_;
      status.queued = writable_ ? 0 : 1;
      Send(audit::EncodeStatus(status));
    }
  }
  void Send(const std::string& frame) { asio::write(peer_, asio::buffer(frame)); }

  asio::local::stream_protocol::acceptor acceptor_{io_};
  asio::local::stream_protocol::socket peer_{io_};
  bool ended_ = false;
};

TEST_F(AuditClientTest, AnEndThatIsRefusedIsSentAgainWithWhatWasDelivered) {
  AuditClient client(io_, folder_ / "auditd.sock", {20ms, 40ms, 60ms});
  answer_ = [this](const audit::Append& append) {
    return appends_.size() == 1 ? Refusal(append, audit::Code::kOverloaded) : Durable(append);
  };
  Run([&]() -> asio::awaitable<void> {
    std::vector<audit::Event> events{Make(audit::Kind::kAbort)};
    events[0].parts.push_back({audit::PartType::kAnswer, "what the caller has seen"});
    const auto refused = co_await client.Append(events);
    EXPECT_FALSE(refused);
    co_await UntilThereAre(2);
    EXPECT_EQ(appends_[1].events.size(), 1u);
    const audit::Event& late = appends_[1].events.at(0);
    EXPECT_EQ(late.kind, audit::Kind::kAbort);
    EXPECT_EQ(late.parent_seq, 7u);
    EXPECT_EQ(late.parts.at(0).bytes, R"({"request":"r","late":true})");
    EXPECT_EQ(late.parts.at(1).bytes, "what the caller has seen");
  });
}

TEST_F(AuditClientTest, AnEndThatStandsInTheLogIsNotSentForEver) {
  AuditClient client(io_, folder_ / "auditd.sock", {20ms, 40ms, 60ms});
  // The first one is durable, but says so to nobody.
  answer_ = [this](const audit::Append& append) -> std::optional<audit::Ack> {
    if (appends_.size() == 1) return std::nullopt;
    return Refusal(append, audit::Code::kInvalidEvent);
  };
  Run([&]() -> asio::awaitable<void> {
    const std::vector<audit::Event> events{Make(audit::Kind::kAbort)};
    const auto unknown = co_await client.Append(events);
    EXPECT_FALSE(unknown);
    co_await UntilThereAre(2);
    co_await Wait(700ms);  // longer than the pause before another try
    EXPECT_EQ(appends_.size(), 2u);
  });
}

TEST_F(AuditClientTest, WhileTheLogRefusesOneEndIsSentAtATime) {
  constexpr uint8_t kEnds = 20;
  AuditClient client(io_, folder_ / "auditd.sock", {20ms, 40ms, 60ms});
  answer_ = [](const audit::Append& append) { return Refusal(append, audit::Code::kDiskLow); };
  Run([&]() -> asio::awaitable<void> {
    for (uint8_t i = 0; i < kEnds; ++i) {
      const std::vector<audit::Event> events{Make(audit::Kind::kAbort, i)};
      const auto refused = co_await client.Append(events);
      EXPECT_FALSE(refused);
    }
    co_await UntilThereAre(kEnds + 2);
    EXPECT_EQ(appends_.size(), kEnds + 2u);
    answer_ = Durable;
    co_await UntilThereAre(2u + 2 * kEnds);
    std::set<uint8_t> ended;
    for (size_t i = kEnds + 2; i < appends_.size(); ++i) ended.insert(appends_[i].events.at(0).request_id[0]);
    EXPECT_EQ(ended.size(), size_t{kEnds});
    co_await Wait(700ms);
    EXPECT_EQ(appends_.size(), 2u + 2 * kEnds);
  });
}

TEST_F(AuditClientTest, AnAnswerOnASlowDiskKeepsNobodyOut) {
  AuditClient client(io_, folder_ / "auditd.sock", {20ms, 5s, 6s});
  std::optional<audit::Append> response;
  answer_ = [&](const audit::Append& append) -> std::optional<audit::Ack> {
    if (append.events.front().kind != audit::Kind::kResp) return Durable(append);
    response = append;
    return std::nullopt;
  };
  Run([&]() -> asio::awaitable<void> {
    bool answered = false;
    asio::co_spawn(io_, [&]() -> asio::awaitable<void> {
      const std::vector<audit::Event> events{Make(audit::Kind::kResp)};
      const auto noted = co_await client.Append(events);
      EXPECT_TRUE(noted);
      answered = true;
    }, asio::detached);
    co_await UntilThereAre(1);
    co_await Wait(100ms);  // five times what an opening waits for a log that does not answer
    const std::vector<audit::Event> events = Opening();
    const auto opened = co_await client.Append(events);
    EXPECT_TRUE(opened);
    Say(Durable(*response));
    while (!answered) co_await Wait(2ms);
  });
}

TEST_F(AuditClientTest, ARequestThatWasRefusedAndThenBecameDurableGetsItsEnd) {
  AuditClient client(io_, folder_ / "auditd.sock", {20ms, 40ms, 60ms});
  answer_ = [](const audit::Append&) { return std::nullopt; };
  writable_ = false;
  Run([&]() -> asio::awaitable<void> {
    const std::vector<audit::Event> events = Opening();
    const auto refused = co_await client.Append(events);
    EXPECT_FALSE(refused);
    const auto meanwhile = co_await client.Append(events);
    EXPECT_FALSE(meanwhile);
    EXPECT_EQ(appends_.size(), 1u) << "a log that hangs is not asked";
    answer_ = Durable;
    Say(Durable(appends_[0]));
    co_await UntilThereAre(2);
    const audit::Event& end = appends_[1].events.at(0);
    EXPECT_EQ(end.kind, audit::Kind::kAbort);
    EXPECT_EQ(end.parent_seq, 42u);
    EXPECT_EQ(end.request_id, events[0].request_id);
    EXPECT_NE(end.parts.at(0).bytes.find(R"("late":true)"), std::string::npos);
  });
}

}  // namespace
}  // namespace portcullis::gateway
