// Files of the log: descriptors, atomic replacement, bounded reading, and the few system calls of the
// write path behind an interface, so that tests can make each of them fail. All opens are O_NOFOLLOW
// and O_CLOEXEC, all files 0600, all folders 0700; paths within a log are reached without links (walk.h). Not
// thread-safe per object.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "audit/error.h"

namespace portcullis::audit {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct DiskSpace {
  uint64_t free = 0;   // bytes for unprivileged writers
  uint64_t total = 0;
};

// The system calls of the write path. Return values and errno as the calls themselves.
class WriteOps {
 public:
  virtual ~WriteOps() = default;
  virtual ssize_t Writev(int fd, const iovec* parts, int count);
  virtual int Fdatasync(int fd);
  virtual int Ftruncate(int fd, off_t size);
  virtual Result<DiskSpace> Space(int fd);
};

Error ErrnoError(const std::string& what, const std::filesystem::path& path, int error);

// A new, empty file for appending; fails when it exists.
Result<Fd> CreateForAppend(const std::filesystem::path& path);
Result<Fd> OpenForAppend(const std::filesystem::path& path);
Result<Fd> OpenFolder(const std::filesystem::path& path);
Result<void> MakeFolder(const std::filesystem::path& path);  // 0700; fine when it exists
// kTampered when the path is a symbolic link: the log's own folders lie in the log's folder.
Result<void> RefuseLink(const std::filesystem::path& path);
Result<void> SyncFolder(const std::filesystem::path& path);

Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_size);
// Writes path.tmp, syncs it (where asked), renames it over path, syncs the folder (where asked).
Result<void> ReplaceFile(const std::filesystem::path& path, std::string_view content, bool durable);

// `size` bytes from `offset` on; fewer where the file ends. `reused` gives its memory, not its content.
Result<std::string> ReadFileRange(const std::filesystem::path& path, uint64_t offset, size_t size,
                                  std::string reused = {});
// Both exist, on one file system.
bool OnOneDisk(const std::filesystem::path& one, const std::filesystem::path& other);
// Zeros over the first `size` bytes, synced: for a secret that is about to be unlinked.
Result<void> OverwriteFile(const std::filesystem::path& path, size_t size);

// An exclusive lock that lives as long as the descriptor. kLocked when somebody else holds it.
Result<Fd> LockFile(const std::filesystem::path& path);
// True when a writer holds the lock now.
bool IsLocked(const std::filesystem::path& path);

}  // namespace portcullis::audit
