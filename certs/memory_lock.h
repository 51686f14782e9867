// Keeps a whole process out of swap: for programs that hold secrets, or what people said, in more places than
// SecretBytes. Asks the kernel what may be locked, as being uid 0 says nothing of it within a container. To be called
// once everything is open, before a seccomp filter that refuses mlockall(). Any thread; reads no file.
#pragma once

namespace portcullis::certs {

// All memory of the process, pages as they are first used, and what comes later. False, and nothing is locked, where
// RLIMIT_MEMLOCK bounds it: later allocations, and stacks of threads, would fail at the limit.
bool LockMemory();

}  // namespace portcullis::certs
