#include "gateway/admit/penalties.h"

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

using boost::asio::ip::make_address;

TEST(Penalties, RefusesAfterTheThresholdAndForgives) {
  ManualClock clock;
  Penalties penalties(clock, {});
  const auto bad = make_address("192.0.2.66");
  const auto good = make_address("192.0.2.67");
  penalties.Add(bad, Misdeed::kAuthFailure);
  penalties.Add(bad, Misdeed::kAuthFailure);
  EXPECT_TRUE(penalties.Check(bad)) << "10 s are below the threshold";
  penalties.Add(bad, Misdeed::kAuthFailure);
  const auto refused = penalties.Check(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPenalized);
  EXPECT_EQ(refused.error().retry_after_ms, 15'000);
  EXPECT_TRUE(penalties.Check(good));
  EXPECT_EQ(penalties.CountActive(), 1u);
  clock.AdvanceSeconds(14);
  EXPECT_FALSE(penalties.Check(bad)) << "until the end, not until below the threshold";
  clock.AdvanceSeconds(1);
  EXPECT_TRUE(penalties.Check(bad));
  penalties.Add(bad, Misdeed::kAuthFailure);
  EXPECT_TRUE(penalties.Check(bad)) << "forgiven means forgotten";
}

TEST(Penalties, SlowMistakesAreForgiven) {
  ManualClock clock;
  Penalties penalties(clock, {});
  const auto from = make_address("192.0.2.66");
  for (int i = 0; i < 100; ++i) {
    penalties.Add(from, Misdeed::kAuthFailure);
    ASSERT_TRUE(penalties.Check(from));
    clock.AdvanceSeconds(5);
  }
}

TEST(Penalties, WeighsAndCaps) {
  ManualClock clock;
  Penalties penalties(clock, {});
  const auto from = make_address("2001:db8::1");
  for (int i = 0; i < 14; ++i) penalties.Add(from, Misdeed::kNoAuth);
  EXPECT_TRUE(penalties.Check(from));
  penalties.Add(from, Misdeed::kNoAuth);
  EXPECT_FALSE(penalties.Check(from));
  for (int i = 0; i < 50; ++i) penalties.Add(from, Misdeed::kHardError);
  EXPECT_EQ(penalties.Check(from).error().retry_after_ms, 600'000);
  EXPECT_FALSE(penalties.Check(make_address("2001:db8::ffff"))) << "the same /64";
  EXPECT_TRUE(penalties.Check(make_address("2001:db8:0:1::1")));
  clock.AdvanceSeconds(600);
  EXPECT_TRUE(penalties.Check(from));
}

TEST(Penalties, ExemptsLoopbackOnlyWhenTold) {
  ManualClock clock;
  Penalties strict(clock, {});
  Penalties lax(clock, {.exempt_loopback = true});
  const auto local = make_address("127.0.0.1");
  strict.Add(local, Misdeed::kHardError);
  lax.Add(local, Misdeed::kHardError);
  lax.Add(make_address("192.0.2.1"), Misdeed::kHardError);
  EXPECT_FALSE(strict.Check(local));
  EXPECT_TRUE(lax.Check(local));
  EXPECT_FALSE(lax.Check(make_address("192.0.2.1")));
}

}  // namespace
}  // namespace portcullis::gateway
