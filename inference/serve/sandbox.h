// What the engine's process may still do once the model is loaded: compute, and talk on sockets it
// already has. Entered once, before the first request. seccomp(2) is required, Landlock (landlock(7))
// is used where the kernel has it. Landlock binds the calling thread and those that it starts from then
// on, so there must be no other thread yet.
#pragma once

#include <filesystem>

#include "inference/error.h"

namespace portcullis::inference {

// No core dumps and no other process of this uid reading our memory. At start.
void ForbidMemoryDumps();
// The machine may write memory to a disk: /proc/swaps names a device, or cannot be read. The engine's
// memory is not locked: weights let go of the file's pages, which locked ones cannot.
bool SwapIsOn();

struct SandboxReport {
  bool landlock = false;  // the file system is closed but for reading the model and the system
};

// Fails where the filter cannot be installed or other threads run; the caller must then stop.
// `socket_path` may be removed at the end; empty: none.
Result<SandboxReport> EnterSandbox(const std::filesystem::path& model,
                                   const std::filesystem::path& socket_path);

}  // namespace portcullis::inference
