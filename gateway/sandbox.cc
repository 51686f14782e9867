#include "gateway/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

namespace portcullis::gateway {
namespace {

Error Failed(const std::string& what, int number) {
  return Error{Code::kConfig, "sandbox: " + what + ": " + std::strerror(number) +
                                  " (sandbox = false in the configuration runs without)"};
}

constexpr std::array kForbidden = {
    SCMP_SYS(execve),        SCMP_SYS(execveat),       SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(init_module),
    SCMP_SYS(finit_module),  SCMP_SYS(delete_module),  SCMP_SYS(kexec_load),
    SCMP_SYS(mount),         SCMP_SYS(umount2),        SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),        SCMP_SYS(setns),          SCMP_SYS(unshare),
    SCMP_SYS(bpf),           SCMP_SYS(perf_event_open), SCMP_SYS(keyctl),
    SCMP_SYS(add_key),       SCMP_SYS(request_key),    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup), SCMP_SYS(open_by_handle_at), SCMP_SYS(reboot),
    SCMP_SYS(swapon),        SCMP_SYS(swapoff),        SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(sethostname),    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),       SCMP_SYS(bind),           SCMP_SYS(listen),
    SCMP_SYS(memfd_create),  SCMP_SYS(pkey_mprotect),  SCMP_SYS(personality),
    SCMP_SYS(kexec_file_load), SCMP_SYS(pidfd_getfd),  SCMP_SYS(process_madvise),
    SCMP_SYS(fsopen),        SCMP_SYS(fsmount),        SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),     SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
};

}  // namespace

Result<void> RestrictCalls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 seccomp_release);
  if (!filter) return Failed("seccomp_init", ENOMEM);
  const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  for (const int call : kForbidden) {
    const int error = seccomp_rule_add(filter.get(), refuse, call, 0);
    if (error != 0) return Failed("seccomp_rule_add", -error);
  }
  constexpr scmp_datum_t kWriteAndRun = PROT_WRITE | PROT_EXEC;
  const scmp_arg_cmp writable_code{2, SCMP_CMP_MASKED_EQ, kWriteAndRun, kWriteAndRun};
  const scmp_arg_cmp code{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC};
  const scmp_arg_cmp not_unix{0, SCMP_CMP_NE, AF_UNIX, 0};
  int error = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(mmap), 1, writable_code);
  if (error == 0) error = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(mprotect), 1, code);
  if (error == 0) error = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(socket), 1, not_unix);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return Failed("seccomp", -error);
  return boost::outcome_v2::success();
}

namespace {

constexpr uint64_t kReadAccess = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWriteAccess =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO;

bool Allow(int rules, const std::filesystem::path& path, uint64_t access) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return false;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = std::filesystem::is_directory(path)
                            ? access
                            : access & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  rule.parent_fd = fd;
  const bool added = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  close(fd);
  return added;
}

}  // namespace

Result<bool> RestrictFiles(const SandboxPaths& paths) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kReadAccess | kWriteAccess | LANDLOCK_ACCESS_FS_EXECUTE;
  const int rules =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  if (rules < 0) return false;
  Result<bool> entered = true;
  const auto allow = [&](const std::filesystem::path& path, uint64_t access) {
    if (entered && !Allow(rules, path, access)) entered = Failed(path.string(), errno);
  };
  for (const auto& path : paths.read) allow(path, kReadAccess);
  for (const auto& path : paths.write) allow(path, kReadAccess | kWriteAccess);
  if (entered && syscall(SYS_landlock_restrict_self, rules, 0) != 0) {
    entered = Failed("landlock_restrict_self", errno);
  }
  close(rules);
  return entered;
}

Result<void> HardenProcess() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return Failed("core dump limit", errno);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Failed("not dumpable", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("no new privileges", errno);
  return boost::outcome_v2::success();
}

bool SwapIsOn() {
  std::ifstream swaps("/proc/swaps");
  std::string line;
  if (!std::getline(swaps, line)) return true;  // the heading
  return static_cast<bool>(std::getline(swaps, line));
}

}  // namespace portcullis::gateway
