#include "inference/model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace portcullis::inference {
namespace {

Error IoError(const char* what, const std::filesystem::path& path, int number) {
  return {Code::kIo, std::string("cannot ") + what + " `" + path.string() + "`: " +
                         std::strerror(number)};
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

// Opens a regular file and examines it.
Result<std::pair<int, struct stat>> OpenRegular(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return IoError("open", path, errno);
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int number = errno;
    const bool regular = S_ISREG(status.st_mode);
    close(fd);
    if (regular) return IoError("examine", path, number);
    return Error{Code::kIo, "`" + path.string() + "` is not a regular file"};
  }
  return std::pair{fd, status};
}

}  // namespace

Result<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const auto opened, OpenRegular(path));
  const auto& [fd, status] = opened;
  Descriptor guard{fd};
  if (status.st_size == 0) return Error{Code::kBadFile, "`" + path.string() + "` is empty"};
  void* data =
      mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return IoError("map", path, errno);
  return MappedFile(path, std::exchange(guard.fd, -1), status, static_cast<const std::byte*>(data));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)),
      status_(other.status_), data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
  if (descriptor_ >= 0) close(descriptor_);
}

Result<std::string> ReadSmallFile(const std::filesystem::path& path, size_t limit) {
  BOOST_OUTCOME_TRY(const auto opened, OpenRegular(path));
  const auto& [fd, status] = opened;
  const Descriptor guard{fd};
  const auto size = static_cast<size_t>(status.st_size);
  if (size > limit) {
    return Error{Code::kTooLarge, "`" + path.string() + "` has " + std::to_string(size) +
                                      " bytes; at most " + std::to_string(limit) + " are read"};
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError("read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  text.resize(done);
  return text;
}

}  // namespace portcullis::inference
