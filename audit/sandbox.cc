#include "audit/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "audit/file.h"

namespace portcullis::audit {
namespace {

// The whole surface of this process towards the kernel.
constexpr auto kAllowed = std::to_array<int>({
    // files
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close),
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat), SCMP_SYS(fchmod), SCMP_SYS(umask), SCMP_SYS(dup), SCMP_SYS(pipe2),
    // sockets; socket() itself is limited below
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(ioctl),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    // memory; mmap and mprotect are limited below
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(munlock),
    // threads, signals, time, randomness
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex), SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
    SCMP_SYS(uname), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
});

#ifdef LANDLOCK_ACCESS_FS_REFER
constexpr uint64_t kRefer = LANDLOCK_ACCESS_FS_REFER;
#else
constexpr uint64_t kRefer = 0;
#endif
constexpr uint64_t kReadWrite = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_DIR;
constexpr uint64_t kFile = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kHandled = kReadWrite | LANDLOCK_ACCESS_FS_EXECUTE |
                              LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                              LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

Error NoLandlock(const std::string& why) {
  return Error{Code::kPermission, "cannot restrict paths (Landlock): " + why + " (" + std::strerror(errno) +
                                      "); --no-sandbox runs without"};
}

}  // namespace

void DisableCoreDumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

Result<bool> RestrictPaths(const std::vector<std::filesystem::path>& writable) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1 && (errno == ENOSYS || errno == EOPNOTSUPP)) return false;
  if (abi < 1) return NoLandlock("asking the kernel for it failed");
  // Renames between folders (refer) are not needed and stay forbidden.
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kHandled | (abi >= 2 ? kRefer : 0);
  const Fd ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0)));
  if (!ruleset.valid()) return NoLandlock("cannot create a ruleset");
  for (const std::filesystem::path& path : writable) {
    const Fd folder(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!folder.valid()) return NoLandlock("cannot open `" + path.string() + "`");
    struct stat about{};
    const bool folderless = ::fstat(folder.get(), &about) == 0 && !S_ISDIR(about.st_mode);
    landlock_path_beneath_attr rule{};
    rule.allowed_access = folderless ? kFile : kReadWrite;
    rule.parent_fd = folder.get();
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
      return NoLandlock("cannot add a rule for `" + path.string() + "`");
    }
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return NoLandlock("cannot be put in force");
  }
  return true;
}

Result<void> RestrictSystemCalls(bool with_tcp) {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                                 &seccomp_release);
  int failed = filter == nullptr ? -ENOMEM : 0;
  const auto allow = [&](int call, const std::vector<scmp_arg_cmp>& conditions) {
    if (failed != 0) return;
    failed = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call,
                                    static_cast<unsigned>(conditions.size()), conditions.data());
  };
  for (const int call : kAllowed) allow(call, {});
  // Argument, comparison and operands; for MASKED_EQ the mask, then the value.
  allow(SCMP_SYS(socket), {{0, SCMP_CMP_EQ, AF_UNIX, 0}});
  if (with_tcp) allow(SCMP_SYS(socket), {{0, SCMP_CMP_EQ, AF_INET, 0}});
  allow(SCMP_SYS(mmap), {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}});
  allow(SCMP_SYS(mprotect), {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}});
  allow(SCMP_SYS(prlimit64), {{2, SCMP_CMP_EQ, 0, 0}});
  if (failed == 0) failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (failed == 0) failed = seccomp_load(filter.get());
  if (failed != 0) {
    return Error{Code::kPermission, "cannot restrict system calls (seccomp error " +
                                        std::to_string(-failed) + "); --no-sandbox runs without"};
  }
  return Ok();
}

}  // namespace portcullis::audit
