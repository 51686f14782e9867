#include "audit/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "audit/walk.h"

namespace portcullis::audit {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

ssize_t WriteOps::Writev(int fd, const iovec* parts, int count) { return ::writev(fd, parts, count); }
int WriteOps::Fdatasync(int fd) { return ::fdatasync(fd); }
int WriteOps::Ftruncate(int fd, off_t size) { return ::ftruncate(fd, size); }

Result<DiskSpace> WriteOps::Space(int fd) {
  struct statvfs info {};
  if (::fstatvfs(fd, &info) != 0) return ErrnoError("cannot ask for free space of", "log", errno);
  return DiskSpace{info.f_bavail * info.f_frsize, info.f_blocks * info.f_frsize};
}

Error ErrnoError(const std::string& what, const std::filesystem::path& path, int error) {
  Code code = Code::kIo;
  if (error == ENOENT) code = Code::kNotFound;
  if (error == EEXIST) code = Code::kExists;
  if (error == EACCES || error == EPERM || error == ELOOP || error == EROFS) code = Code::kPermission;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = Code::kDiskLow;
  return Error{code, what + " `" + ShownPath(path) + "`: " +
                         (error == ELOOP ? "a symbolic link is in the way" : std::strerror(error))};
}

Result<Fd> CreateForAppend(const std::filesystem::path& path) {
  Fd fd(OpenPath(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (!fd.valid()) return ErrnoError("cannot create", path, errno);
  return fd;
}

Result<Fd> OpenForAppend(const std::filesystem::path& path) {
  Fd fd(OpenPath(path, O_WRONLY | O_APPEND | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoError("cannot open for appending", path, errno);
  return fd;
}

Result<Fd> OpenFolder(const std::filesystem::path& path) {
  Fd fd(OpenPath(path, O_RDONLY | O_DIRECTORY));
  if (!fd.valid()) return ErrnoError("cannot open folder", path, errno);
  return fd;
}

Result<void> MakeFolder(const std::filesystem::path& path) {
  if (MakePath(path) == 0) return SyncFolder(path.parent_path());
  if (errno != EEXIST) return ErrnoError("cannot create folder", path, errno);
  if (Fd(OpenPath(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)).valid()) return Ok();
  return Error{Code::kPermission, "`" + ShownPath(path) + "` is in the way and is not a folder"};
}

Result<void> RefuseLink(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return Ok();
  return Error{Code::kTampered, "`" + ShownPath(path) + "` is a symbolic link; a log's folders are its own, remove it"};
}

Result<void> SyncFolder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.empty() ? std::filesystem::path(".") : path;
  BOOST_OUTCOME_TRY(const Fd fd, OpenFolder(folder));
  if (::fsync(fd.get()) != 0) return ErrnoError("cannot sync folder", folder, errno);
  return Ok();
}

Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_size) {
  const Fd fd(OpenPath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return ErrnoError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError("cannot examine", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{Code::kPermission, "`" + ShownPath(path) + "` is not a regular file"};
  }
  if (static_cast<uint64_t>(info.st_size) > max_size) {
    return Error{Code::kBadFormat, "`" + ShownPath(path) + "` is larger than " +
                                       std::to_string(max_size) + " bytes"};
  }
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

Result<void> ReplaceFile(const std::filesystem::path& path, std::string_view content, bool durable) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  const Fd fd(OpenPath(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return ErrnoError("cannot create", temporary, errno);
  // What did not become the file must not fill the disk.
  const auto fail = [&temporary](const char* what, const std::filesystem::path& of) {
    const int error = errno;
    (void)UnlinkPath(temporary);
    return ErrnoError(what, of, error);
  };
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t put = ::write(fd.get(), content.data() + done, content.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail("cannot write", temporary);
    done += static_cast<size_t>(put);
  }
  if (durable && ::fdatasync(fd.get()) != 0) return fail("cannot sync", temporary);
  if (RenamePath(temporary, path) != 0) return fail("cannot replace", path);
  if (durable) return SyncFolder(path.parent_path());
  return Ok();
}

Result<std::string> ReadFileRange(const std::filesystem::path& path, uint64_t offset, size_t size,
                                  std::string reused) {
  const Fd fd(OpenPath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return ErrnoError("cannot open", path, errno);
  std::string content = std::move(reused);
  content.resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd.get(), content.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

bool OnOneDisk(const std::filesystem::path& one, const std::filesystem::path& other) {
  struct stat first {}, second {};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev;
}

Result<void> OverwriteFile(const std::filesystem::path& path, size_t size) {
  const Fd fd(OpenPath(path, O_WRONLY | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoError("cannot open", path, errno);
  const std::string zeros(size, '\0');
  if (::pwrite(fd.get(), zeros.data(), zeros.size(), 0) != static_cast<ssize_t>(size) ||
      ::fdatasync(fd.get()) != 0) {
    return ErrnoError("cannot overwrite", path, errno);
  }
  return Ok();
}

Result<Fd> LockFile(const std::filesystem::path& path) {
  Fd fd(OpenPath(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!fd.valid()) return ErrnoError("cannot open lock", path, errno);
  // A verifier that asks IsLocked() holds a shared lock for a moment; a writer holds it for good.
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) return ErrnoError("cannot lock", path, errno);
    ::usleep(25'000);
  }
  return Error{Code::kLocked, "`" + ShownPath(path) + "` is held by another process: a log has one auditd, a witness's folder one witness"};
}

bool IsLocked(const std::filesystem::path& path) {
  const Fd fd(OpenPath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return false;
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) {
    ::flock(fd.get(), LOCK_UN);
    return false;
  }
  return errno == EWOULDBLOCK;
}

}  // namespace portcullis::audit
