// What auditd takes from itself after start: core dumps, every system call it has no use for (seccomp, an allow-list: no exec, no network but AF_UNIX,
// no writable and executable memory; TCP only where asked for), and every path but its own folders (Landlock, where the kernel
// has it). Irreversible; to be called once, after all files are open and threads are started.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "audit/error.h"

namespace portcullis::audit {

// Before any key is read.
void DisableCoreDumps();

// Folders, and devices. Before threads are started: Landlock rules hold for threads begun later. False where the kernel
// has no Landlock; any other failure is an error.
Result<bool> RestrictPaths(const std::vector<std::filesystem::path>& writable);
// For all threads of the process.
Result<void> RestrictSystemCalls(bool with_tcp);

}  // namespace portcullis::audit
