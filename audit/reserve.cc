#include "audit/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/file.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kBlock = 4096;

}  // namespace

Result<void> Reserve::Fill(uint64_t most) {
  const Fd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("cannot create", path_, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError("cannot examine", path_, errno);
  const off_t before = std::min(info.st_size, static_cast<off_t>(size_));
  left_ = static_cast<uint64_t>(before);
  const uint64_t after = left_ + std::min(most, missing()) / kBlock * kBlock;
  if (after == 0) return Ok();
  if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(after)); error != 0) {
    // It may have come half way: the rest of the disk is not to be kept from others.
    if (::ftruncate(fd.get(), before) != 0) left_ = 0;
    return ErrnoError("cannot set space aside in", path_, error);
  }
  left_ = after;
  return Ok();
}

Result<void> Reserve::Draw(uint64_t bytes) {
  if (bytes > left_) {
    return Error{Code::kDiskLow, "the audit log's disk is full and `" + path_.string() + "` is used up (" +
                                     std::to_string(left_) + " bytes are left of it); make room"};
  }
  const Fd fd(::open(path_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("cannot open", path_, errno);
  const uint64_t blocks = std::min((bytes + kBlock - 1) / kBlock * kBlock, left_);
  if (::ftruncate(fd.get(), static_cast<off_t>(left_ - blocks)) != 0) {
    return ErrnoError("cannot give back space of", path_, errno);
  }
  left_ -= blocks;
  return Ok();
}

void Reserve::GiveUp() {
  ::unlink(path_.c_str());
  left_ = 0;
}

}  // namespace portcullis::audit
