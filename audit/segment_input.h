// A segment file, read frame by frame through a window that stays in the processor's cache; it grows only
// for a frame that is larger. The file may grow or shrink meanwhile: what counts is its size when it was
// opened, or less where it ends earlier. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/file.h"

namespace portcullis::audit {

class SegmentInput {
 public:
  // From `offset` on.
  static Result<SegmentInput> Open(const std::filesystem::path& path, uint64_t offset);

  // The bytes from at() on: one frame at least, or all there is. Valid until the next call.
  Result<std::string_view> Front();
  void Skip(size_t size) { begin_ += size; }
  // Everything from at() on.
  Result<std::string> Rest();

  uint64_t at() const { return read_ - (end_ - begin_); }  // offset in the file
  uint64_t size() const { return size_; }                  // of the file
  bool finished() const { return at() >= size_; }

 private:
  SegmentInput(Fd file, std::filesystem::path path, uint64_t offset, uint64_t size);
  std::string_view Ready() const { return {window_.get() + begin_, end_ - begin_}; }
  Result<void> Fill(size_t wanted);
  Result<size_t> Read(char* to, size_t size);

  Fd file_;
  std::filesystem::path path_;
  uint64_t size_;
  uint64_t read_;  // offset of the first byte that is not in the window
  std::unique_ptr<char[]> window_;
  size_t capacity_;
  size_t begin_ = 0, end_ = 0;  // of what is in the window and not yet skipped
};

}  // namespace portcullis::audit
