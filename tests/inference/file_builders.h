// Model files made for tests: GGUF and safetensors byte by byte, so that each can be damaged on
// purpose, and a folder that is removed at the end.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "inference/model/gguf.h"

namespace portcullis::inference {

// Little-endian bytes one after the other.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& Number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  ByteWriter& Raw(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  ByteWriter& Text(std::string_view text) { return Number<uint64_t>(text.size()).Raw(text); }
  ByteWriter& PadTo(size_t alignment) {
    while (bytes_.size() % alignment != 0) bytes_ += '\0';
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A GGUF file with every field open to change before Build.
struct GgufBuilder {
  struct Entry {
    std::string name;
    std::vector<uint64_t> shape;  // the file's order: innermost first
    uint32_t type = 0;
    std::string data;
    int64_t offset = -1;          // -1: where the data is put
  };

  void Int(std::string_view key, uint32_t value);
  void Float(std::string_view key, float value);
  void Bool(std::string_view key, bool value);
  void String(std::string_view key, std::string_view value);
  void Strings(std::string_view key, const std::vector<std::string>& values);
  void Floats(std::string_view key, const std::vector<float>& values);
  // A key with a type number and raw bytes behind it.
  void Raw(std::string_view key, uint32_t type, std::string_view bytes);
  void Tensor(std::string name, std::vector<uint64_t> shape, const std::vector<float>& values);

  std::string Build() const;

  uint32_t version = 3;
  uint64_t extra_keys = 0;     // claimed beyond those there
  uint64_t extra_tensors = 0;
  uint64_t alignment = 32;
  uint64_t key_count = 0;
  ByteWriter keys;
  std::vector<Entry> tensors;
};

// header is JSON; the length field is the header's unless `length` says otherwise.
std::string SafetensorsBytes(std::string_view header, std::string_view data, int64_t length = -1);

std::span<const std::byte> AsBytes(std::string_view text);

class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  ~TempFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path Write(const std::string& name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

}  // namespace portcullis::inference
