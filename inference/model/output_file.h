// A file that appears whole or not at all: written beside its place under a name of its own, made
// durable, then renamed. Room is reserved at once where the file system can, so that a full disk is
// said before the work is done. An OutputFile that is destroyed unfinished leaves nothing behind.
// Not thread-safe. Failure: kIo with the path and, for a full disk, how much room was wanted.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "inference/error.h"

namespace portcullis::inference {

class OutputFile {
 public:
  // `bytes` is the size the file will have; 0 where it is not known. Replaces `path` only at
  // Finish; `path` must be a regular file or absent.
  static Result<OutputFile> Create(const std::filesystem::path& path, int64_t bytes);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  Result<void> Write(std::span<const std::byte> bytes);
  int64_t written() const { return written_; }
  Result<void> Finish();

 private:
  OutputFile(std::filesystem::path path, std::filesystem::path partial, int fd, int64_t bytes);
  Result<void> Flush();
  Error WriteError(int number) const;

  std::filesystem::path path_;
  std::filesystem::path partial_;  // empty once renamed or moved from
  int fd_ = -1;
  int64_t expected_ = 0;
  int64_t written_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace portcullis::inference
