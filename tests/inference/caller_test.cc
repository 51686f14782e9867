// Who asks, from the headers of the gateway.
#include "inference/serve/caller.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace portcullis::inference
