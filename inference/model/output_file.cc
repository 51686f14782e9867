#include "inference/model/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr size_t kBufferBytes = 4 << 20;

Error IoError(const std::string& what, const std::filesystem::path& path, int number) {
  return {Code::kIo, "cannot " + what + " `" + path.string() + "`: " + std::strerror(number)};
}

}  // namespace

Result<OutputFile> OutputFile::Create(const std::filesystem::path& path, int64_t bytes) {
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return Error{Code::kIo, "`" + path.string() + "` is not a regular file; it is not replaced"};
  }
  std::string name = path.string() + ".partial-XXXXXX";
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return IoError("create", name, errno);
  OutputFile file(path, name, fd, bytes);
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(fd, 0666 & ~mask) != 0) return IoError("set the mode of", name, errno);
  // Not every file system can reserve room; a full disk is then found while writing.
  if (bytes > 0 && fallocate(fd, 0, 0, bytes) != 0 && (errno == ENOSPC || errno == EFBIG ||
                                                       errno == EDQUOT)) {
    return file.WriteError(errno);
  }
  return file;
}

OutputFile::OutputFile(std::filesystem::path path, std::filesystem::path partial, int fd,
                       int64_t bytes)
    : path_(std::move(path)), partial_(std::move(partial)), fd_(fd), expected_(bytes) {
  buffer_.reserve(kBufferBytes);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), partial_(std::exchange(other.partial_, {})),
      fd_(std::exchange(other.fd_, -1)), expected_(other.expected_), written_(other.written_),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  if (fd_ >= 0) close(fd_);
  if (!partial_.empty()) unlink(partial_.c_str());
}

Error OutputFile::WriteError(int number) const {
  Error error = IoError("write", path_, number);
  if (number == ENOSPC || number == EDQUOT) {
    error.message += "; " + std::to_string(expected_) + " bytes of room are needed";
  }
  return error;
}

Result<void> OutputFile::Write(std::span<const std::byte> bytes) {
  written_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), kBufferBytes - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (buffer_.size() == kBufferBytes) {
      BOOST_OUTCOME_TRY(Flush());
    }
  }
  return boost::outcome_v2::success();
}

Result<void> OutputFile::Flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return WriteError(errno);
    done += static_cast<size_t>(count);
  }
  buffer_.clear();
  return boost::outcome_v2::success();
}

Result<void> OutputFile::Finish() {
  BOOST_OUTCOME_TRY(Flush());
  // The reserved room may be larger than what was written.
  if (ftruncate(fd_, written_) != 0) return IoError("set the size of", partial_, errno);
  if (fsync(fd_) != 0) return IoError("make durable", partial_, errno);
  const int result = close(std::exchange(fd_, -1));
  if (result != 0) return IoError("close", partial_, errno);
  if (rename(partial_.c_str(), path_.c_str()) != 0) return IoError("rename to", path_, errno);
  partial_.clear();
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return IoError("open", folder, errno);
  const int synced = fsync(directory);
  const int number = errno;
  close(directory);
  if (synced != 0 && number != EINVAL) return IoError("make durable", folder, number);
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference
