// What the gateway gives up. RestrictFiles: all files but the named ones, by Landlock; it holds for
// the calling thread and those that it starts, so it comes before any other thread. RestrictCalls,
// once everything is open: no new programs, no tracing, no kernel modules, no outbound or new
// network sockets (Unix sockets only), no writable-executable memory; seccomp by libseccomp, for
// all threads, the kernel answers EPERM.
// Failure: kConfig; the caller must not go on without a sandbox unless told to.
#pragma once

#include <filesystem>
#include <vector>

#include "gateway/error.h"

namespace portcullis::gateway {

struct SandboxPaths {
  std::vector<std::filesystem::path> read;   // folders and files, as they are now
  std::vector<std::filesystem::path> write;  // connecting to a socket needs neither
};

// Limits core dumps to nothing and forbids new privileges; before any secret is read.
Result<void> HardenProcess();
// The machine may write memory to a disk: /proc/swaps names a device, or cannot be read.
bool SwapIsOn();
// False where the kernel has no Landlock.
Result<bool> RestrictFiles(const SandboxPaths& paths);
Result<void> RestrictCalls();

}  // namespace portcullis::gateway
