#include "audit/segment_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "audit/segment.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr size_t kWindow = 256u << 10;

}  // namespace

SegmentInput::SegmentInput(Fd file, std::filesystem::path path, uint64_t offset, uint64_t size)
    : file_(std::move(file)), path_(std::move(path)), size_(size), read_(offset),
      window_(std::make_unique_for_overwrite<char[]>(kWindow)), capacity_(kWindow) {}

Result<SegmentInput> SegmentInput::Open(const std::filesystem::path& path, uint64_t offset) {
  Fd file(OpenPath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) return ErrnoError("cannot read", path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoError("cannot examine", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{Code::kPermission, "`" + ShownPath(path) + "` is not a regular file"};
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > kMaxSegmentFile) return Error{Code::kBadFormat, "`" + ShownPath(path) + "` is larger than 256 MiB"};
  (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return SegmentInput(std::move(file), path, std::min(offset, size), size);
}

Result<std::string_view> SegmentInput::Front() {
  BOOST_OUTCOME_TRY(Fill(kFrameHeader));
  BOOST_OUTCOME_TRY(Fill(AnnouncedSize(Ready())));
  return Ready();
}

Result<std::string> SegmentInput::Rest() {
  std::string rest(Ready());
  rest.resize(static_cast<size_t>(size_ - at()));
  for (size_t done = end_ - begin_; done < rest.size();) {
    BOOST_OUTCOME_TRY(const size_t got, Read(rest.data() + done, rest.size() - done));
    if (got == 0) rest.resize(done);
    done += got;
  }
  begin_ = end_;
  return rest;
}

// So many bytes in the window, or all that are left.
Result<void> SegmentInput::Fill(size_t wanted) {
  if (end_ - begin_ >= wanted || read_ >= size_) return Ok();
  const std::string_view ready = Ready();
  if (wanted > capacity_) {
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    std::memcpy(larger.get(), ready.data(), ready.size());
    window_ = std::move(larger);
    capacity_ = wanted;
  } else {
    std::memmove(window_.get(), ready.data(), ready.size());
  }
  begin_ = 0;
  end_ = ready.size();
  while (end_ < wanted && read_ < size_) {
    const auto left = static_cast<size_t>(std::min<uint64_t>(size_ - read_, capacity_ - end_));
    BOOST_OUTCOME_TRY(const size_t got, Read(window_.get() + end_, left));
    end_ += got;
  }
  return Ok();
}

// 0 where the file ends, which is its size then.
Result<size_t> SegmentInput::Read(char* to, size_t size) {
  for (;;) {
    const ssize_t got = ::pread(file_.get(), to, size, static_cast<off_t>(read_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read", path_, errno);
    if (got == 0) size_ = read_;
    read_ += static_cast<uint64_t>(got);
    return static_cast<size_t>(got);
  }
}

}  // namespace portcullis::audit
