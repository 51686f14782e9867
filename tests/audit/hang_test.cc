// A disk that does not answer: whoever comes then is refused at once and the status says so, what waits is
// kept, and the log goes on when the disk does.

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "tests/audit/faulty_ops.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

class HangTest : public LogTest {
 protected:
  static std::future<Ack> Submit(Writer& writer) {
    auto promise = std::make_shared<std::promise<Ack>>();
    writer.Submit({1, {MakeEvent(Kind::kAdmin)}}, [promise](const Ack& ack) { promise->set_value(ack); });
    return promise->get_future();
  }

  FaultyOps ops_;
};

TEST_F(HangTest, WhoComesToAHangingDiskIsRefusedAtOnce) {
  WriterOptions options = Options();
  options.ops = &ops_;
  options.max_wait = std::chrono::milliseconds(20);
  const auto writer = StartWriter(std::move(options));
  ops_.Hold();
  const int before = ops_.syncs;
  std::future<Ack> held = Submit(*writer);
  while (ops_.syncs == before) std::this_thread::yield();  // in fdatasync now
  while (writer->GetStatus().writable) std::this_thread::yield();
  EXPECT_GE(writer->GetStatus().queued, 1u);
  std::future<Ack> refused = Submit(*writer);
  ASSERT_EQ(refused.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(refused.get().error_code, static_cast<uint32_t>(Code::kOverloaded));
  EXPECT_NE(held.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  ops_.Release();
  EXPECT_TRUE(held.get().durable);
  while (!writer->GetStatus().writable) std::this_thread::yield();
  EXPECT_TRUE(Submit(*writer).get().durable);
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

}  // namespace
}  // namespace portcullis::audit::test
