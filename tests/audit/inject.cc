// Preloaded into portcullis-auditd by a test (LD_PRELOAD): makes the n-th call of one system call fail,
// or ends the process there as SIGKILL would. PORTCULLIS_INJECT is `CALL:N:WHAT`, WHAT being `kill` or a
// number of errno; N = 0 is every call. Several are separated by commas, each of another call.
// Only calls that may change a file are counted. PORTCULLIS_INJECT_TOLD is a file that is made when a call was hit.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <sstream>
#include <string>
#include <string_view>

namespace {

struct Plan {
  std::string call;
  long at = 0;    // 0: always
  int error = 0;  // 0: kill
  std::atomic<long> count = 0;
};

// Never destroyed: calls come until the process is gone.
std::deque<Plan>& Plans() {
  static std::deque<Plan>* const plans = [] {
    auto* read = new std::deque<Plan>;
    const char* text = std::getenv("PORTCULLIS_INJECT");
    std::istringstream all(text == nullptr ? "" : text);
    for (std::string one; std::getline(all, one, ',');) {
      const size_t first = one.find(':'), second = one.find(':', first + 1);
      if (second == std::string::npos) continue;
      Plan& plan = read->emplace_back();
      plan.call = one.substr(0, first);
      plan.at = std::atol(one.c_str() + first + 1);
      plan.error = one.substr(second + 1) == "kill" ? 0 : std::atoi(one.c_str() + second + 1);
    }
    return read;
  }();
  return *plans;
}

// By the kernel's call: the library's are counted here.
void Tell() {
  const char* const path = std::getenv("PORTCULLIS_INJECT_TOLD");
  if (path == nullptr) return;
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(static_cast<int>(fd));
}

// auditd's seccomp filter has no kill(); tgkill(), which abort() needs, it has.
void Die() {
  ::syscall(SYS_tgkill, ::getpid(), ::gettid(), SIGKILL);
  ::_exit(EXIT_FAILURE);
}

// True when this call must fail; errno is set.
bool Hit(std::string_view call) {
  for (Plan& plan : Plans()) {
    if (plan.call != call || (++plan.count != plan.at && plan.at != 0)) continue;
    Tell();
    if (plan.error == 0) Die();
    errno = plan.error;
    return true;
  }
  return false;
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

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = static_cast<mode_t>(va_arg(rest, int));
  va_end(rest);
  if (Writes(flags) && Hit("open")) return -1;
  static const auto next = Next<int (*)(int, const char*, int, mode_t)>("openat");
  return next(folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = static_cast<mode_t>(va_arg(rest, int));
  va_end(rest);
  if (Writes(flags) && Hit("open")) return -1;
  static const auto next = Next<int (*)(int, const char*, int, mode_t)>("openat64");
  return next(folder, path, flags, mode);
}

// Sockets and pipes are not files: only what goes to a descriptor that can be synced counts.
ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd > 2 && ::lseek(fd, 0, SEEK_CUR) >= 0 && Hit("write")) return -1;
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return next(fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (Hit("pwrite")) return -1;
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return next(fd, bytes, size, offset);
}

// The key store's.
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

int renameat(int old_folder, const char* from, int folder, const char* to) {
  if (Hit("rename")) return -1;
  static const auto next = Next<int (*)(int, const char*, int, const char*)>("renameat");
  return next(old_folder, from, folder, to);
}

int unlinkat(int folder, const char* path, int flags) {
  if (Hit("unlink")) return -1;
  static const auto next = Next<int (*)(int, const char*, int)>("unlinkat");
  return next(folder, path, flags);
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

int ftruncate64(int fd, off64_t size) {
  if (Hit("ftruncate")) return -1;
  static const auto next = Next<int (*)(int, off64_t)>("ftruncate64");
  return next(fd, size);
}

}  // extern "C"
