// A file that a person asked for by name (an export, a report, a release): it must not exist yet, links
// are not followed, only its owner may read it, and it appears whole or not at all. Written beside its
// name under a random one, synced, then renamed without replacing anything. Not thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/file.h"

namespace portcullis::audit {

class NewFile {
 public:
  // kExists when something of that name is there.
  static Result<NewFile> Create(const std::filesystem::path& path);
  ~NewFile();  // without Finish() nothing is left
  NewFile(NewFile&&) = default;
  NewFile& operator=(NewFile&&) = delete;

  // An error is kept and told by Finish().
  void Write(std::string_view text);
  Result<void> Finish();

 private:
  NewFile(std::filesystem::path path, std::filesystem::path temporary, Fd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}
  void Flush();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Fd fd_;
  std::string buffer_;
  std::optional<Error> error_;
};

// All at once.
Result<void> WriteNewFile(const std::filesystem::path& path, std::string_view content);

}  // namespace portcullis::audit
