// Who asks, from the headers of the gateway.
#include "inference/serve/caller.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "inference/serve/status.h"

namespace portcullis::inference {
namespace {

ApiResult<Caller> Read(std::initializer_list<std::pair<const char*, std::string>> headers) {
  HttpRequest request;
  for (const auto& [name, value] : headers) request.set(name, value);
  return ReadCaller(request);
}

TEST(Caller, ComesFromTheHeaders) {
  const auto nobody = Read({});
  ASSERT_TRUE(nobody.has_value());
  EXPECT_EQ(nobody.value().tenant, "");
  EXPECT_EQ(nobody.value().priority, Priority::kNormal);
  EXPECT_EQ(nobody.value().deadline, std::chrono::steady_clock::time_point::max());

  const auto person = Read({{"x-portcullis-tenant", "finance"},
                            {"x-portcullis-priority", "interactive"},
                            {"x-portcullis-timeout-ms", "60000"}});
  ASSERT_TRUE(person.has_value());
  EXPECT_EQ(person.value().tenant, "finance");
  EXPECT_EQ(person.value().priority, Priority::kInteractive);
  EXPECT_GT(person.value().deadline, std::chrono::steady_clock::now());
  EXPECT_EQ(Read({{"x-portcullis-priority", "batch"}}).value().priority, Priority::kBatch);
}

TEST(Caller, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(Read({{"x-portcullis-tenant", std::string(128, 'a')}}).has_value());
  EXPECT_EQ(Read({{"x-portcullis-tenant", std::string(129, 'a')}}).error().status, 400u);
  for (const char* priority : {"Interactive", "0", "urgent"}) {
    EXPECT_EQ(Read({{"x-portcullis-priority", priority}}).error().status, 400u) << priority;
  }
  for (const char* timeout : {"0", "-1", "1s", "86400001", "99999999999999999999"}) {
    EXPECT_EQ(Read({{"x-portcullis-timeout-ms", timeout}}).error().status, 400u) << timeout;
  }
}

TEST(Status, TellsCountsOfTheSchedulerAndNothingElse) {
  SchedulerCounters counters;
  counters.running = 3;
  counters.waiting_by_priority = {1, 2, 4};
  counters.pages_total = 70;
  counters.pages_used = 12;
  counters.prefix_hit_tokens = 640;
  counters.preemptions = 5;
  counters.drafted_tokens = 9;
  counters.accepted_tokens = 8;
  const boost::json::object body = StatusBody(counters);
  EXPECT_EQ(body.at("running"), 3);
  EXPECT_EQ(body.at("waiting").at("interactive"), 1);
  EXPECT_EQ(body.at("waiting").at("batch"), 4);
  EXPECT_EQ(body.at("pages").at("total"), 70);
  EXPECT_EQ(body.at("pages").at("used"), 12);
  EXPECT_EQ(body.at("prefix_cache").at("hit_tokens"), 640);
  EXPECT_EQ(body.at("requests").at("preempted"), 5);
  EXPECT_EQ(body.at("speculation").at("drafted"), 9);
  EXPECT_EQ(body.at("speculation").at("accepted"), 8);
}

}  // namespace
}  // namespace portcullis::inference
