// System calls for a writer under test: they fail on demand, or hold an fdatasync until told to go on.
// The flags may be set from any thread; see audit/file.h for what a writer asks of them.
#pragma once

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "audit/file.h"

namespace portcullis::audit::test {

class FaultyOps : public WriteOps {
 public:
  ssize_t Writev(int fd, const iovec* parts, int count) override {
    if (read_only) return errno = EROFS, -1;
    if (full) {
      // Half of the first part fits, as on a disk that fills up.
      if (torn_once.exchange(true)) return errno = ENOSPC, -1;
      const iovec half{parts[0].iov_base, parts[0].iov_len / 2 + 1};
      return WriteOps::Writev(fd, &half, 1);
    }
    return WriteOps::Writev(fd, parts, count);
  }
  int Ftruncate(int fd, off_t size) override {
    if (read_only) return errno = EROFS, -1;
    return WriteOps::Ftruncate(fd, size);
  }
  int Fdatasync(int fd) override {
    ++syncs;
    if (read_only) return errno = EROFS, -1;
    if (fail_sync) return errno = EIO, -1;
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return !hold; });
    return WriteOps::Fdatasync(fd);
  }
  Result<DiskSpace> Space(int fd) override {
    if (low) return DiskSpace{1000, 1'000'000'000};
    return WriteOps::Space(fd);
  }
  void Release() {
    {
      const std::lock_guard guard(mutex);
      hold = false;
    }
    wake.notify_all();
  }
  void Hold() {
    const std::lock_guard guard(mutex);
    hold = true;
  }

  std::atomic<bool> full = false, torn_once = false, fail_sync = false, low = false, read_only = false;
  std::atomic<int> syncs = 0;
  std::mutex mutex;
  std::condition_variable wake;
  bool hold = false;
};

}  // namespace portcullis::audit::test
