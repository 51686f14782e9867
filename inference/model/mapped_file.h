// A file mapped read-only into memory for as long as the object lives. Failure: kIo with the path.
// The caller keeps the file unchanged meanwhile (the engine's user cannot write its models): a file
// that is truncated under a mapping ends the process with SIGBUS. The file stays open, so that it
// can be read and examined again whatever its name stands for by then.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <span>

#include "inference/error.h"

namespace portcullis::inference {

class MappedFile {
 public:
  static Result<MappedFile> Open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  // As it was when the file was opened.
  const struct stat& status() const { return status_; }

 private:
  MappedFile(std::filesystem::path path, int descriptor, const struct stat& status,
             const std::byte* data)
      : path_(std::move(path)), descriptor_(descriptor), status_(status), data_(data),
        size_(static_cast<size_t>(status.st_size)) {}

  std::filesystem::path path_;
  int descriptor_;
  struct stat status_;
  const std::byte* data_;
  size_t size_;
};

// Reads a whole small file (configuration, tokenizer). More than `limit` bytes: kTooLarge.
Result<std::string> ReadSmallFile(const std::filesystem::path& path, size_t limit);

}  // namespace portcullis::inference
