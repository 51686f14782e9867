// What the engine's threads may still open once the sandbox is entered. Each test enters it in a process
// of its own, for there is no way out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "inference/ops/workers.h"
#include "inference/serve/sandbox.h"

namespace portcullis::inference {
namespace {

constexpr int kThreads = 4;
constexpr int kTasks = 64;
constexpr const char* kOutside = "/etc/passwd";

bool HasLandlock() {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

// 0, or the error.
int Open(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

[[noreturn]] void End(const char* wrong) {
  if (wrong != nullptr) std::fprintf(stderr, "%s\n", wrong);
  std::_Exit(wrong == nullptr ? 0 : 1);
}

// As the engine: computes, ends what computed, closes itself in, starts its threads.
[[noreturn]] void OpenFromAllThreads() {
  const auto model = std::filesystem::read_symlink("/proc/self/exe");
  std::atomic<int> ran{0};
  Workers(kThreads).Run(kTasks, true, [&](int64_t, int) { ++ran; });
  if (Open(kOutside) != 0) End("nothing is there to be refused");
  Workers::EndThreads();
  const auto report = EnterSandbox(model, "");
  if (!report) End(report.error().message.c_str());
  if (!report.value().landlock) End("Landlock was not used");
  std::atomic<int> allowed{0}, refused{0};
  const auto look = [&] {
    if (Open(model) == 0) ++allowed;
    if (Open(kOutside) == EACCES) ++refused;
  };
  look();
  std::thread scheduler([&] {
    look();
    if (setpriority(PRIO_PROCESS, 0, 19) != 0) End("a thread cannot lower its priority");
    Workers(kThreads).Run(kTasks, true, [&](int64_t, int) { look(); });
  });
  scheduler.join();
  Workers(kThreads).Run(kTasks, true, [&](int64_t, int) { look(); });
  constexpr int kLooks = 2 + 2 * kTasks;
  if (allowed != kLooks) End("a thread cannot read the model");
  if (refused != kLooks) End("a thread can open what is outside");
  End(nullptr);
}

[[noreturn]] void EnterBesideAThread() {
  std::promise<void> over;
  std::thread other([&] { over.get_future().wait(); });
  const auto report = EnterSandbox(std::filesystem::read_symlink("/proc/self/exe"), "");
  over.set_value();
  other.join();
  if (report) End("it was entered");
  std::fprintf(stderr, "refused: %s\n", report.error().message.c_str());
  std::_Exit(0);
}

class SandboxDeathTest : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer has a thread of its own from the start";
#endif
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

TEST_F(SandboxDeathTest, NoThreadOpensWhatIsOutside) {
  if (!HasLandlock()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EXIT(OpenFromAllThreads(), testing::ExitedWithCode(0), "");
}

TEST_F(SandboxDeathTest, IsNotEnteredBesideOtherThreads) {
  EXPECT_EXIT(EnterBesideAThread(), testing::ExitedWithCode(0), "refused: .*2 threads run already");
}

}  // namespace
}  // namespace portcullis::inference
