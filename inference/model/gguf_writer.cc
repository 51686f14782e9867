#include "inference/model/gguf_writer.h"

#include <algorithm>
#include <cstring>

namespace portcullis::inference::gguf {
namespace {

constexpr uint32_t kVersion = 3;

template <class T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendText(std::string& out, std::string_view text) {
  Append<uint64_t>(out, text.size());
  out.append(text);
}

std::string TypeBytes(ValueType type) {
  std::string out;
  Append(out, static_cast<uint32_t>(type));
  return out;
}

template <class T>
std::string Scalar(ValueType type, T value) {
  std::string out = TypeBytes(type);
  Append(out, value);
  return out;
}

std::string ArrayStart(ValueType element, uint64_t count) {
  std::string out = TypeBytes(ValueType::kArray);
  Append(out, static_cast<uint32_t>(element));
  Append<uint64_t>(out, count);
  return out;
}

template <class T>
std::string Array(ValueType element, std::span<const T> values) {
  std::string out = ArrayStart(element, values.size());
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return out;
}

int64_t Padded(int64_t bytes) {
  constexpr auto alignment = static_cast<int64_t>(kDefaultAlignment);
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

void Writer::Set(std::string_view key, std::string bytes) {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  if (found != entries_.end()) {
    found->bytes = std::move(bytes);
  } else {
    entries_.push_back({std::string(key), std::move(bytes)});
  }
}

void Writer::SetInt(std::string_view key, uint32_t value) {
  Set(key, Scalar(ValueType::kUint32, value));
}
void Writer::SetFloat(std::string_view key, float value) {
  Set(key, Scalar(ValueType::kFloat32, value));
}
void Writer::SetBool(std::string_view key, bool value) {
  Set(key, Scalar<uint8_t>(ValueType::kBool, value ? 1 : 0));
}
void Writer::SetString(std::string_view key, std::string_view value) {
  std::string out = TypeBytes(ValueType::kString);
  AppendText(out, value);
  Set(key, std::move(out));
}
void Writer::SetStrings(std::string_view key, std::span<const std::string> values) {
  std::string out = ArrayStart(ValueType::kString, values.size());
  for (const auto& value : values) AppendText(out, value);
  Set(key, std::move(out));
}
void Writer::SetInts(std::string_view key, std::span<const int32_t> values) {
  Set(key, Array(ValueType::kInt32, values));
}
void Writer::SetFloats(std::string_view key, std::span<const float> values) {
  Set(key, Array(ValueType::kFloat32, values));
}
void Writer::SetArray(std::string_view key, ValueType element, uint64_t count,
                      std::span<const std::byte> bytes) {
  std::string out = ArrayStart(element, count);
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Set(key, std::move(out));
}
void Writer::SetScalar(std::string_view key, ValueType type, std::span<const std::byte> bytes) {
  std::string out = TypeBytes(type);
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Set(key, std::move(out));
}
void Writer::Remove(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

Result<void> Writer::AddTensor(std::string name, DataType type, std::vector<int64_t> shape) {
  const TensorType* row = FindTensorType(type);
  if (row == nullptr) {
    return Error{Code::kUnsupported, "tensor `" + name + "`: GGUF has no type " +
                                         std::string(NameOf(type))};
  }
  if (shape.empty() || shape.size() > 4 || shape.back() % row->layout.elements != 0) {
    return Error{Code::kInternal, "tensor `" + name + "`: the shape " + ShapeText(shape) +
                                      " cannot be written as " + std::string(row->name)};
  }
  if (!names_.insert(name).second) {
    return Error{Code::kInternal, "tensor `" + name + "` is added twice"};
  }
  int64_t bytes = row->layout.bytes;
  for (const int64_t size : shape) bytes *= size;
  bytes /= row->layout.elements;
  tensors_.push_back({std::move(name), row->number, std::move(shape), data_bytes_, bytes});
  data_bytes_ += Padded(bytes);
  return boost::outcome_v2::success();
}

std::string Writer::Header() const {
  std::string out = "GGUF";
  Append(out, kVersion);
  Append<uint64_t>(out, tensors_.size());
  Append<uint64_t>(out, entries_.size());
  for (const auto& entry : entries_) {
    AppendText(out, entry.key);
    out += entry.bytes;
  }
  for (const auto& tensor : tensors_) {
    AppendText(out, tensor.name);
    Append(out, static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      Append(out, static_cast<uint64_t>(*size));
    }
    Append(out, tensor.type);
    Append(out, static_cast<uint64_t>(tensor.offset));
  }
  out.resize(static_cast<size_t>(Padded(static_cast<int64_t>(out.size()))));
  return out;
}

Result<void> Writer::Begin(const std::filesystem::path& path) {
  const std::string header = Header();
  BOOST_OUTCOME_TRY(auto file, OutputFile::Create(path, static_cast<int64_t>(header.size()) +
                                                            data_bytes_));
  file_.emplace(std::move(file));
  return file_->Write(std::as_bytes(std::span(header)));
}

Result<void> Writer::Write(std::span<const std::byte> bytes) {
  const auto count = static_cast<int64_t>(bytes.size());
  if (!file_ || current_ == tensors_.size() || count > tensors_[current_].bytes - in_current_) {
    return Error{Code::kInternal, "more bytes than the tensors of the table have"};
  }
  BOOST_OUTCOME_TRY(file_->Write(bytes));
  in_current_ += count;
  if (in_current_ == tensors_[current_].bytes) {
    const std::vector<std::byte> padding(static_cast<size_t>(Padded(in_current_) - in_current_));
    BOOST_OUTCOME_TRY(file_->Write(padding));
    ++current_;
    in_current_ = 0;
  }
  return boost::outcome_v2::success();
}

Result<void> Writer::Finish() {
  if (!file_ || current_ != tensors_.size()) {
    return Error{Code::kInternal, "tensors of the table were not written"};
  }
  BOOST_OUTCOME_TRY(file_->Finish());
  file_.reset();
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference::gguf
