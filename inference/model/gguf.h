// GGUF version 2 and 3 (little-endian) over a read-only mapping: metadata and tensor table.
// The file is hostile until parsed: every count, length, offset, alignment and extent is checked
// with arithmetic that cannot overflow, and tensors may not overlap. Nested arrays are refused. A
// model in several files is opened by its first; all parts together are one File.
// After a successful parse all accessors are safe on any thread.
// Strings and spans that the accessors return live as long as the File.
// Format: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/error.h"
#include "inference/model/gguf_types.h"
#include "inference/model/mapped_file.h"
#include "inference/model/tensor.h"

namespace portcullis::inference::gguf {

class File {
 public:
  static Result<std::unique_ptr<File>> Open(const std::filesystem::path& path);
  // Parses the bytes of a whole model, which must outlive the File.
  static Result<std::unique_ptr<File>> Parse(std::span<const std::byte> bytes);

  // A metadata value as it lies in the file: of arrays the elements, without type and count.
  struct Value {
    ValueType type;       // kArray for arrays
    ValueType element;    // type of the elements; equal to `type` for scalars
    uint64_t count;       // 1 for scalars
    std::span<const std::byte> bytes;
  };

  uint32_t version() const { return version_; }
  // In the order of the file.
  const std::vector<std::string_view>& keys() const { return keys_; }
  // Null where absent.
  const Value* FindValue(std::string_view key) const;
  bool Has(std::string_view key) const { return values_.contains(key); }

  // Absent keys give kNotFound, values of another kind kBadFile. Integers of every width convert
  // when in range, floats accept both widths and integers.
  Result<std::string_view> String(std::string_view key) const;
  Result<int64_t> Int(std::string_view key) const;
  Result<double> Float(std::string_view key) const;
  Result<bool> Bool(std::string_view key) const;
  Result<std::vector<std::string_view>> Strings(std::string_view key) const;
  Result<std::vector<int64_t>> Ints(std::string_view key) const;
  Result<std::vector<float>> Floats(std::string_view key) const;

  // The files that are mapped, in order; none for bytes that were given.
  std::vector<const MappedFile*> files() const;
  std::span<const Tensor> tensors() const { return tensors_; }
  const Tensor* FindTensor(std::string_view name) const;

 private:
  class Parser;

  explicit File(std::optional<MappedFile> mapping) : mapping_(std::move(mapping)) {}
  Result<void> ParseBytes(std::span<const std::byte> bytes);
  Result<const Value*> Find(std::string_view key, bool array) const;

  static Result<std::unique_ptr<File>> OpenOne(const std::filesystem::path& path);
  Result<int64_t> PartCount() const;
  Result<void> AddParts(const std::filesystem::path& path, int64_t count);
  Result<void> IndexTensors();

  std::optional<MappedFile> mapping_;
  std::vector<std::unique_ptr<File>> parts_;  // the second and further files
  uint32_t version_ = 0;
  std::vector<std::string_view> keys_;
  std::unordered_map<std::string_view, Value> values_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> tensor_index_;
};

}  // namespace portcullis::inference::gguf
