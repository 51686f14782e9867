// Writes GGUF version 3: metadata and the table of tensors first, then the tensors' bytes in the
// order of the table, streamed, so that memory stays bounded whatever the model's size. The file
// appears at its path only when Finish succeeds (output_file.h). Not thread-safe.
// Misuse (a repeated name, bytes beyond the last tensor) is kInternal; the disk's trouble is kIo.
// Format: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/model/gguf_types.h"
#include "inference/model/output_file.h"
#include "inference/model/tensor.h"

namespace portcullis::inference::gguf {

class Writer {
 public:
  // A key that is set twice keeps its last value.
  void SetInt(std::string_view key, uint32_t value);
  void SetFloat(std::string_view key, float value);
  void SetBool(std::string_view key, bool value);
  void SetString(std::string_view key, std::string_view value);
  void SetStrings(std::string_view key, std::span<const std::string> values);
  void SetInts(std::string_view key, std::span<const int32_t> values);
  void SetFloats(std::string_view key, std::span<const float> values);
  // An array as it lies in another file.
  void SetArray(std::string_view key, ValueType element, uint64_t count,
                std::span<const std::byte> bytes);
  // A single value as it lies in another file.
  void SetScalar(std::string_view key, ValueType type, std::span<const std::byte> bytes);
  void Remove(std::string_view key);

  // `shape` is row-major, outermost first. kUnsupported: GGUF has no number for the type.
  Result<void> AddTensor(std::string name, DataType type, std::vector<int64_t> shape);
  // The bytes of all tensors with their padding.
  int64_t data_bytes() const { return data_bytes_; }

  Result<void> Begin(const std::filesystem::path& path);
  // The next bytes of the tensors; one call may not cross a tensor's end.
  Result<void> Write(std::span<const std::byte> bytes);
  // kInternal where bytes are missing.
  Result<void> Finish();

 private:
  struct Entry {
    std::string key;
    std::string bytes;  // type and value
  };
  struct Planned {
    std::string name;
    uint32_t type;
    std::vector<int64_t> shape;
    int64_t offset;
    int64_t bytes;
  };
  void Set(std::string_view key, std::string bytes);
  std::string Header() const;

  std::vector<Entry> entries_;
  std::vector<Planned> tensors_;
  std::set<std::string, std::less<>> names_;
  int64_t data_bytes_ = 0;
  std::optional<OutputFile> file_;
  size_t current_ = 0;     // the tensor whose bytes come next
  int64_t in_current_ = 0; // bytes of it that are written
};

}  // namespace portcullis::inference::gguf
