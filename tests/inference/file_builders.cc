#include "tests/inference/file_builders.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace portcullis::inference {

void GgufBuilder::Raw(std::string_view key, uint32_t type, std::string_view bytes) {
  keys.Text(key).Number<uint32_t>(type).Raw(bytes);
  ++key_count;
}

void GgufBuilder::Int(std::string_view key, uint32_t value) {
  Raw(key, 4, ByteWriter().Number(value).bytes());
}
void GgufBuilder::Float(std::string_view key, float value) {
  Raw(key, 6, ByteWriter().Number(value).bytes());
}
void GgufBuilder::Bool(std::string_view key, bool value) {
  Raw(key, 7, ByteWriter().Number<uint8_t>(value ? 1 : 0).bytes());
}
void GgufBuilder::String(std::string_view key, std::string_view value) {
  Raw(key, 8, ByteWriter().Text(value).bytes());
}
void GgufBuilder::Strings(std::string_view key, const std::vector<std::string>& values) {
  ByteWriter array;
  array.Number<uint32_t>(8).Number<uint64_t>(values.size());
  for (const auto& value : values) array.Text(value);
  Raw(key, 9, array.bytes());
}
void GgufBuilder::Floats(std::string_view key, const std::vector<float>& values) {
  ByteWriter array;
  array.Number<uint32_t>(6).Number<uint64_t>(values.size());
  for (const float value : values) array.Number(value);
  Raw(key, 9, array.bytes());
}

void GgufBuilder::Tensor(std::string name, std::vector<uint64_t> shape,
                         const std::vector<float>& values) {
  tensors.push_back({std::move(name), std::move(shape), 0,
                     std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4)});
}

std::string GgufBuilder::Build() const {
  ByteWriter data;
  ByteWriter table;
  for (const auto& tensor : tensors) {
    data.PadTo(alignment);
    const uint64_t offset =
        tensor.offset >= 0 ? static_cast<uint64_t>(tensor.offset) : data.bytes().size();
    data.Raw(tensor.data);
    table.Text(tensor.name).Number<uint32_t>(static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t size : tensor.shape) table.Number(size);
    table.Number(tensor.type).Number(offset);
  }
  ByteWriter file;
  file.Raw("GGUF").Number(version).Number<uint64_t>(tensors.size() + extra_tensors);
  file.Number<uint64_t>(key_count + extra_keys).Raw(keys.bytes()).Raw(table.bytes());
  return file.PadTo(alignment).Raw(data.bytes()).bytes();
}

std::string SafetensorsBytes(std::string_view header, std::string_view data, int64_t length) {
  ByteWriter file;
  file.Number<uint64_t>(length >= 0 ? static_cast<uint64_t>(length) : header.size());
  return file.Raw(header).Raw(data).bytes();
}

std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TempFolder::TempFolder() {
  std::string name = testing::TempDir() + "portcullis-model-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder " << name;
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TempFolder::Write(const std::string& name, std::string_view bytes) const {
  const auto path = path_ / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

}  // namespace portcullis::inference
