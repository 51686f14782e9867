// Preloaded into portcullis-auditd by a test (LD_PRELOAD): makes the n-th call of one system call fail,
// or ends the process there as SIGKILL would. PORTCULLIS_INJECT is `CALL:N:WHAT`, WHAT being `kill` or a
// number of errno.
// Only calls that may change a file are counted.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

struct Plan {
  char call[16] = "";
  long at = 0;
  int error = 0;  // 0: kill
};

Plan ReadPlan() {
  Plan plan;
  const char* text = std::getenv("PORTCULLIS_INJECT");
  const char* first = text == nullptr ? nullptr : std::strchr(text, ':');
  const char* second = first == nullptr ? nullptr : std::strchr(first + 1, ':');
  if (second == nullptr || first - text >= static_cast<long>(sizeof plan.call)) return plan;
  std::memcpy(plan.call, text, static_cast<size_t>(first - text));
  plan.at = std::atol(first + 1);
  plan.error = std::strcmp(second + 1, "kill") == 0 ? 0 : std::atoi(second + 1);
  return plan;
}

// True when this call must fail; errno is set.
bool Hit(const char* call) {
  static const Plan plan = ReadPlan();
  static std::atomic<long> count = 0;
  if (std::strcmp(plan.call, call) != 0 || ++count != plan.at) return false;
  if (plan.error == 0) ::kill(::getpid(), SIGKILL);
  errno = plan.error;
  return true;
}

template <class Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool Writes(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = static_cast<mode_t>(va_arg(rest, int));
  va_end(rest);
  if (Writes(flags) && Hit("open")) return -1;
  static const auto next = Next<int (*)(const char*, int, mode_t)>("open");
  return next(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = static_cast<mode_t>(va_arg(rest, int));
  va_end(rest);
  if (Writes(flags) && Hit("open")) return -1;
  static const auto next = Next<int (*)(const char*, int, mode_t)>("open64");
  return next(path, flags, mode);
}

// Sockets and pipes are not files: only what goes to a descriptor that can be synced counts.
ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd > 2 && ::lseek(fd, 0, SEEK_CUR) >= 0 && Hit("write")) return -1;
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return next(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  if (Hit("write")) return -1;
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return next(fd, bytes, size, offset);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  if (fd > 2 && ::lseek(fd, 0, SEEK_CUR) >= 0 && Hit("writev")) return -1;
  static const auto next = Next<ssize_t (*)(int, const iovec*, int)>("writev");
  return next(fd, parts, count);
}

int fdatasync(int fd) {
  if (Hit("fdatasync")) return -1;
  static const auto next = Next<int (*)(int)>("fdatasync");
  return next(fd);
}

int fsync(int fd) {
  if (Hit("fsync")) return -1;
  static const auto next = Next<int (*)(int)>("fsync");
  return next(fd);
}

int rename(const char* from, const char* to) {
  if (Hit("rename")) return -1;
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return next(from, to);
}

int unlink(const char* path) {
  if (Hit("unlink")) return -1;
  static const auto next = Next<int (*)(const char*)>("unlink");
  return next(path);
}

int ftruncate(int fd, off_t size) {
  if (Hit("ftruncate")) return -1;
  static const auto next = Next<int (*)(int, off_t)>("ftruncate");
  return next(fd, size);
}

}  // extern "C"
