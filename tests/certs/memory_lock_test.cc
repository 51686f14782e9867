// Locked memory must never be what a process dies of: where a limit bounds it, nothing is locked, whoever runs it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>

namespace portcullis::certs {
namespace {

constexpr int kLocked = 10, kNotLocked = 11;  // the probe's
constexpr int kSkipped = 77;

// In a child, which is limited alone and becomes the probe when it is ready.
int Probe(const std::function<bool()>& ready) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string program = std::string(PORTCULLIS_BIN_DIR) + "/memory_lock_probe";
    if (!ready()) ::_exit(kSkipped);
    ::execl(program.c_str(), program.c_str(), nullptr);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// A usual one, or what is allowed here.
bool Limit(rlim_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  if (bytes != RLIM_INFINITY) bytes = std::min(bytes, limit.rlim_max);
  limit.rlim_cur = bytes;
  limit.rlim_max = std::max(bytes, limit.rlim_max);
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

// uid 0 as a container has it, which is not above the limit.
bool BecomeRootOfAContainer() {
  const std::string map = "0 " + std::to_string(::geteuid()) + " 1";
  if (::unshare(CLONE_NEWUSER) != 0) return false;
  const int file = ::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool mapped = ::write(file, map.data(), map.size()) == static_cast<ssize_t>(map.size());
  ::close(file);
  return mapped && ::geteuid() == 0;
}

TEST(MemoryLock, RootOfAContainerLocksNothingThatEndsItsAllocations) {
  const int result = Probe([] { return Limit(8 << 20) && BecomeRootOfAContainer(); });
  if (result == kSkipped) GTEST_SKIP() << "no user namespaces can be made here";
  EXPECT_EQ(result, kNotLocked);
}

TEST(MemoryLock, WhateverIsLockedAllocationsGoOnBehindTheLimit) {
  const int result = Probe([] { return Limit(8 << 20); });
  EXPECT_TRUE(result == kLocked || result == kNotLocked) << result;
}

TEST(MemoryLock, WithoutALimitItIsLocked) {
  const int result = Probe([] { return Limit(RLIM_INFINITY); });
  if (result == kSkipped) GTEST_SKIP() << "RLIMIT_MEMLOCK is finite here and cannot be raised";
  EXPECT_EQ(result, kLocked);
}

}  // namespace
}  // namespace portcullis::certs
