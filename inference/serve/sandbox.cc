// An allow list: every system call that is not named here fails with EPERM. The list is what
// glibc's threads and allocator, libgomp, Asio's epoll reactor, PCRE2's JIT and sd_notify use.
// Executing programs, new processes, network sockets, connecting, binding, tracing, mounting, keys,
// modules, io_uring and bpf are not on it. New threads are: clone is allowed with CLONE_THREAD
// only, clone3, whose flags a filter cannot see, answers ENOSYS so that glibc falls back to clone.
#include "inference/serve/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

namespace portcullis::inference {
namespace {

constexpr int kAllowed[] = {
    // memory
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    SCMP_SYS(get_mempolicy),
    SCMP_SYS(mincore),
    // threads, time, signals
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(tgkill),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(getrandom),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    // descriptors
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(access),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(pipe2),
    // sockets that are there already
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
};

struct FilterFree {
  void operator()(void* filter) const { seccomp_release(filter); }
};

Result<void> InstallFilter() {
  const std::unique_ptr<void, FilterFree> owner(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  const scmp_filter_ctx filter = owner.get();
  int rc = filter == nullptr ? -ENOMEM : 0;
  const auto add = [&](uint32_t action, int call, auto... conditions) {
    if (rc == 0) rc = seccomp_rule_add(filter, action, call, sizeof...(conditions), conditions...);
  };
  if (rc == 0) rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  for (const int call : kAllowed) add(SCMP_ACT_ALLOW, call);
  add(SCMP_ACT_ALLOW, SCMP_SYS(clone), scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD});
  add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  add(SCMP_ACT_ALLOW, SCMP_SYS(socket), scmp_arg_cmp{0, SCMP_CMP_EQ, AF_UNIX, 0});
  add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), scmp_arg_cmp{1, SCMP_CMP_EQ, FIONBIO, 0});
  add(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), scmp_arg_cmp{1, SCMP_CMP_EQ, FIONREAD, 0});
  // Files for reading only.
  add(SCMP_ACT_ALLOW, SCMP_SYS(openat), scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDONLY});
  add(SCMP_ACT_ALLOW, SCMP_SYS(open), scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDONLY});
  // Our own limits may be read, nobody's set.
  add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), scmp_arg_cmp{2, SCMP_CMP_EQ, 0, 0});
  // A thread may choose a priority for itself.
  add(SCMP_ACT_ALLOW, SCMP_SYS(setpriority), scmp_arg_cmp{0, SCMP_CMP_EQ, PRIO_PROCESS, 0},
      scmp_arg_cmp{1, SCMP_CMP_EQ, 0, 0});
  // Names of threads.
  add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), scmp_arg_cmp{0, SCMP_CMP_EQ, PR_SET_NAME, 0});
  if (rc == 0) rc = seccomp_load(filter);
  if (rc != 0) {
    return Error{Code::kInternal,
                 std::string("cannot install the system call filter: ") + std::strerror(-rc)};
  }
  return boost::outcome_v2::success();
}

class Descriptor {
 public:
  explicit Descriptor(long fd) : fd_(static_cast<int>(fd)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Best effort: an older kernel, or one without Landlock, leaves the file system to seccomp and to
// the service unit.
bool CloseFileSystem(const std::filesystem::path& model, const std::filesystem::path& socket_path) {
  constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  landlock_ruleset_attr attributes = {};
  attributes.handled_access_fs = kRead | LANDLOCK_ACCESS_FS_EXECUTE |
                                 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  const Descriptor rules(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  if (rules.get() < 0) return false;
  const auto allow = [&](const std::filesystem::path& path, uint64_t access) {
    const Descriptor place(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (place.get() < 0) return;
    landlock_path_beneath_attr rule = {};
    std::error_code ignored;
    rule.allowed_access = std::filesystem::is_directory(path, ignored)
                              ? access
                              : access & ~uint64_t{LANDLOCK_ACCESS_FS_READ_DIR};
    rule.parent_fd = place.get();
    syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  };
  allow(model, kRead);
  // Libraries, CPU topology, time zone: what the C library may still look up.
  for (const char* path :
       {"/usr/lib", "/usr/share/zoneinfo", "/lib", "/lib64", "/etc/localtime", "/etc/ld.so.cache",
        "/sys/devices/system", "/dev/null", "/dev/urandom"}) {
    allow(path, kRead);
  }
  if (!socket_path.empty()) {
    allow(std::filesystem::absolute(socket_path).parent_path(), LANDLOCK_ACCESS_FS_REMOVE_FILE);
  }
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0;
}

// A thread that was joined is listed until the kernel has put it away.
Result<void> CheckAlone() {
  constexpr auto kPatience = std::chrono::seconds(1);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    std::error_code error;
    std::filesystem::directory_iterator tasks("/proc/self/task", error);
    if (error) return Error{Code::kInternal, "cannot list the process's threads: " + error.message()};
    const auto threads = std::distance(tasks, std::filesystem::directory_iterator());
    if (threads == 1) return boost::outcome_v2::success();
    if (std::chrono::steady_clock::now() > end) {
      return Error{Code::kInternal, "cannot close the file system: " + std::to_string(threads) +
                                        " threads run already, which would keep it"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

bool SwapIsOn() {
  std::ifstream swaps("/proc/swaps");
  std::string line;
  if (!std::getline(swaps, line)) return true;  // the heading
  return static_cast<bool>(std::getline(swaps, line));
}

void ForbidMemoryDumps() {
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

Result<SandboxReport> EnterSandbox(const std::filesystem::path& model,
                                   const std::filesystem::path& socket_path) {
  BOOST_OUTCOME_TRY(CheckAlone());
  SandboxReport report;
  report.landlock = CloseFileSystem(model, socket_path);
  BOOST_OUTCOME_TRY(InstallFilter());
  return report;
}

}  // namespace portcullis::inference
