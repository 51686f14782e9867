// What the gateway gives up once everything is open: no new programs, no tracing, no kernel
// modules, no outbound or new network sockets (Unix sockets only), no writable-executable memory.
// seccomp by libseccomp; the kernel answers EPERM. Landlock narrows the file system where the
// kernel has it. Called once, before the cores run; applies to all threads of the process.
// Failure: kConfig; the caller must not go on without a sandbox unless told to.
#pragma once

#include <filesystem>
#include <vector>

#include "gateway/error.h"

namespace portcullis::gateway {

struct SandboxPaths {
  std::vector<std::filesystem::path> read;   // folders and files
  std::vector<std::filesystem::path> write;  // folders
};

// Limits core dumps to nothing and forbids new privileges; before any secret is read.
Result<void> HardenProcess();
// Returns whether Landlock is in force as well.
Result<bool> EnterSandbox(const SandboxPaths& paths);

}  // namespace portcullis::gateway
