#include "inference/model/gguf.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace portcullis::inference::gguf {
namespace {

constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 17;
constexpr uint64_t kMaxNameBytes = 512;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint32_t kMaxDimensions = 4;
constexpr uint64_t kMaxElements = uint64_t{1} << 42;

template <class T>
T Load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::optional<int64_t> LoadInt(ValueType type, const std::byte* bytes) {
  switch (type) {
    case ValueType::kUint8: return Load<uint8_t>(bytes);
    case ValueType::kInt8: return Load<int8_t>(bytes);
    case ValueType::kUint16: return Load<uint16_t>(bytes);
    case ValueType::kInt16: return Load<int16_t>(bytes);
    case ValueType::kUint32: return Load<uint32_t>(bytes);
    case ValueType::kInt32: return Load<int32_t>(bytes);
    case ValueType::kInt64: return Load<int64_t>(bytes);
    case ValueType::kUint64: {
      const auto value = Load<uint64_t>(bytes);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::optional<double> LoadFloat(ValueType type, const std::byte* bytes) {
  if (type == ValueType::kFloat32) return static_cast<double>(Load<float>(bytes));
  if (type == ValueType::kFloat64) return Load<double>(bytes);
  if (const auto value = LoadInt(type, bytes)) return static_cast<double>(*value);
  return std::nullopt;
}

Error Bad(std::string message) { return {Code::kBadFile, "GGUF: " + std::move(message)}; }

Error WrongKind(std::string_view key, const char* wanted) {
  return Bad("metadata `" + std::string(key) + "` is not " + wanted);
}

}  // namespace

// Reads forward through the bytes; every read says how many bytes it needs before it takes them.
class File::Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  Result<std::span<const std::byte>> Take(uint64_t count, const char* what) {
    if (count > left()) {
      return Bad(std::string("the file ends inside ") + what + " at byte " +
                 std::to_string(position_));
    }
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  template <class T>
  Result<T> Number(const char* what) {
    BOOST_OUTCOME_TRY(const auto taken, Take(sizeof(T), what));
    return Load<T>(taken.data());
  }

  Result<std::string_view> Text(const char* what) {
    BOOST_OUTCOME_TRY(const auto length, Number<uint64_t>(what));
    BOOST_OUTCOME_TRY(const auto taken, Take(length, what));
    return std::string_view(reinterpret_cast<const char*>(taken.data()), taken.size());
  }

  Result<std::string_view> Name(const char* what) {
    BOOST_OUTCOME_TRY(const auto name, Text(what));
    if (name.empty() || name.size() > kMaxNameBytes) {
      return Bad(std::string(what) + " has " + std::to_string(name.size()) + " bytes; 1 to " +
                 std::to_string(kMaxNameBytes) + " are allowed");
    }
    return name;
  }

  Result<Value> TakeValue(std::string_view key) {
    BOOST_OUTCOME_TRY(const auto type, Number<uint32_t>("a metadata type"));
    Value value{static_cast<ValueType>(type), static_cast<ValueType>(type), 1, {}};
    if (value.type == ValueType::kArray) {
      BOOST_OUTCOME_TRY(const auto element, Number<uint32_t>("an array type"));
      BOOST_OUTCOME_TRY(const auto count, Number<uint64_t>("an array length"));
      value.element = static_cast<ValueType>(element);
      value.count = count;
    }
    const size_t start = position_;
    if (value.element == ValueType::kString) {
      // A string takes at least its length field, which bounds the loop by the file's size.
      if (value.count > left() / sizeof(uint64_t)) {
        return Bad("metadata `" + std::string(key) +
                   "` claims more strings than the file can hold");
      }
      for (uint64_t i = 0; i < value.count; ++i) {
        BOOST_OUTCOME_TRY(Text("a metadata string"));
      }
    } else {
      const size_t size = FixedSize(value.element);
      if (size == 0) {
        return Bad("metadata `" + std::string(key) + "` has " +
                   (value.element == ValueType::kArray
                        ? "nested arrays"
                        : "the unknown type " + std::to_string(type)));
      }
      if (value.count > left() / size) {
        return Bad("metadata `" + std::string(key) + "` claims more values than the file can hold");
      }
      BOOST_OUTCOME_TRY(Take(value.count * size, "a metadata value"));
    }
    value.bytes = bytes_.subspan(start, position_ - start);
    return value;
  }

  struct TensorEntry {
    Tensor tensor;
    uint64_t offset;
    uint64_t size;
  };

  Result<TensorEntry> TakeTensor() {
    TensorEntry entry{};
    BOOST_OUTCOME_TRY(const auto name, Name("a tensor name"));
    entry.tensor.name = name;
    BOOST_OUTCOME_TRY(const auto dimensions, Number<uint32_t>("a tensor entry"));
    if (dimensions == 0 || dimensions > kMaxDimensions) {
      return Bad("tensor `" + entry.tensor.name + "` has " + std::to_string(dimensions) +
                 " dimensions; 1 to " + std::to_string(kMaxDimensions) + " are allowed");
    }
    uint64_t elements = 1;
    for (uint32_t i = 0; i < dimensions; ++i) {
      BOOST_OUTCOME_TRY(const auto size, Number<uint64_t>("a tensor shape"));
      if (size == 0 || size > kMaxElements / elements) {
        return Bad("tensor `" + entry.tensor.name + "` has an impossible shape");
      }
      elements *= size;
      entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<int64_t>(size));
    }
    BOOST_OUTCOME_TRY(const auto type, Number<uint32_t>("a tensor type"));
    BOOST_OUTCOME_TRY(entry.offset, Number<uint64_t>("a tensor offset"));
    const TensorType* row = FindTensorType(type);
    if (row == nullptr) {
      return Bad("tensor `" + entry.tensor.name + "` has the unknown type " + std::to_string(type));
    }
    entry.tensor.type = row->type;
    entry.tensor.type_name = row->name;
    if (entry.tensor.shape.back() % row->layout.elements != 0) {
      return Bad("tensor `" + entry.tensor.name + "` has rows of " +
                 std::to_string(entry.tensor.shape.back()) + " values, no whole number of " +
                 std::string(row->name) + " blocks");
    }
    entry.size = elements / static_cast<uint64_t>(row->layout.elements) *
                 static_cast<uint64_t>(row->layout.bytes);
    return entry;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

Result<std::unique_ptr<File>> File::OpenOne(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(auto mapping, MappedFile::Open(path));
  const auto bytes = mapping.bytes();
  std::unique_ptr<File> file(new File(std::move(mapping)));
  auto parsed = file->ParseBytes(bytes);
  if (!parsed) {
    return Error{parsed.error().code, "`" + path.string() + "`: " + parsed.error().message};
  }
  return file;
}

Result<std::unique_ptr<File>> File::Parse(std::span<const std::byte> bytes) {
  std::unique_ptr<File> file(new File(std::nullopt));
  BOOST_OUTCOME_TRY(file->ParseBytes(bytes));
  BOOST_OUTCOME_TRY(const int64_t parts, file->PartCount());
  if (parts > 1) {
    return Error{Code::kUnsupported, "GGUF: one of " + std::to_string(parts) + " parts of a model"};
  }
  return file;
}

Result<void> File::ParseBytes(std::span<const std::byte> bytes) {
  Parser parser(bytes);
  BOOST_OUTCOME_TRY(const auto magic, parser.Take(4, "the magic number"));
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) return Bad("the file does not start with `GGUF`");
  BOOST_OUTCOME_TRY(version_, parser.Number<uint32_t>("the version"));
  if (version_ != 2 && version_ != 3) {
    return Error{Code::kUnsupported, "GGUF: version " + std::to_string(version_) +
                                         " is not read; versions 2 and 3, little-endian, are"};
  }
  BOOST_OUTCOME_TRY(const auto tensor_count, parser.Number<uint64_t>("the tensor count"));
  BOOST_OUTCOME_TRY(const auto key_count, parser.Number<uint64_t>("the metadata count"));
  if (tensor_count > kMaxTensors || key_count > kMaxKeys) {
    return Bad("the header claims " + std::to_string(tensor_count) + " tensors and " +
               std::to_string(key_count) + " metadata keys, more than any model has");
  }

  for (uint64_t i = 0; i < key_count; ++i) {
    BOOST_OUTCOME_TRY(const auto key, parser.Name("a metadata key"));
    BOOST_OUTCOME_TRY(const auto value, parser.TakeValue(key));
    if (!values_.emplace(key, value).second) {
      return Bad("metadata `" + std::string(key) + "` appears twice");
    }
    keys_.push_back(key);
  }
  uint64_t alignment = kDefaultAlignment;
  if (Has("general.alignment")) {
    BOOST_OUTCOME_TRY(const auto value, Int("general.alignment"));
    if (value < 8 || value > static_cast<int64_t>(kMaxAlignment) || (value & (value - 1)) != 0) {
      return Bad("`general.alignment` is " + std::to_string(value) +
                 ", not a sensible power of two");
    }
    alignment = static_cast<uint64_t>(value);
  }
  std::vector<Parser::TensorEntry> entries;
  for (uint64_t i = 0; i < tensor_count; ++i) {
    BOOST_OUTCOME_TRY(auto entry, parser.TakeTensor());
    entries.push_back(std::move(entry));
  }
  const uint64_t padding = (alignment - parser.position() % alignment) % alignment;
  const uint64_t data_start = parser.position() + std::min<uint64_t>(padding, parser.left());
  const auto data = bytes.subspan(data_start);

  std::vector<std::pair<uint64_t, uint64_t>> extents;
  tensors_.reserve(entries.size());
  for (auto& entry : entries) {
    if (entry.offset % alignment != 0 || entry.offset > data.size() ||
        entry.size > data.size() - entry.offset) {
      return Bad("tensor `" + entry.tensor.name + "` lies outside the file or is misaligned" +
                 " (offset " + std::to_string(entry.offset) + ", " + std::to_string(entry.size) +
                 " bytes, data " +
                 std::to_string(data.size()) + " bytes): the file is damaged or cut short");
    }
    entry.tensor.bytes = data.subspan(entry.offset, entry.size);
    extents.emplace_back(entry.offset, entry.offset + entry.size);
    tensors_.push_back(std::move(entry.tensor));
  }
  std::ranges::sort(extents);
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].first < extents[i - 1].second) return Bad("two tensors overlap");
  }
  return IndexTensors();
}

Result<void> File::IndexTensors() {
  tensor_index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!tensor_index_.emplace(tensors_[i].name, i).second) {
      return Bad("tensor `" + tensors_[i].name + "` appears twice");
    }
  }
  return boost::outcome_v2::success();
}

const Tensor* File::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

const File::Value* File::FindValue(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<const File::Value*> File::Find(std::string_view key, bool array) const {
  const auto found = values_.find(key);
  if (found == values_.end()) {
    return Error{Code::kNotFound, "GGUF: no metadata `" + std::string(key) + "`"};
  }
  if ((found->second.type == ValueType::kArray) != array) {
    return WrongKind(key, array ? "an array" : "a single value");
  }
  return &found->second;
}

Result<std::string_view> File::String(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, false));
  if (value->type != ValueType::kString) return WrongKind(key, "a string");
  return Parser(value->bytes).Text("a metadata string");
}

Result<int64_t> File::Int(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, false));
  const auto number = LoadInt(value->type, value->bytes.data());
  if (!number) return WrongKind(key, "an integer");
  return *number;
}

Result<double> File::Float(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, false));
  const auto number = LoadFloat(value->type, value->bytes.data());
  if (!number) return WrongKind(key, "a number");
  return *number;
}

Result<bool> File::Bool(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, false));
  if (value->type != ValueType::kBool) return WrongKind(key, "a truth value");
  return Load<uint8_t>(value->bytes.data()) != 0;
}

Result<std::vector<std::string_view>> File::Strings(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, true));
  if (value->element != ValueType::kString) return WrongKind(key, "an array of strings");
  std::vector<std::string_view> strings(value->count);
  Parser parser(value->bytes);
  for (auto& string : strings) {
    BOOST_OUTCOME_TRY(string, parser.Text("a metadata string"));
  }
  return strings;
}

Result<std::vector<int64_t>> File::Ints(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, true));
  const size_t size = FixedSize(value->element);
  std::vector<int64_t> numbers(size == 0 ? 0 : value->count);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto number = LoadInt(value->element, value->bytes.data() + i * size);
    if (!number) return WrongKind(key, "an array of integers");
    numbers[i] = *number;
  }
  if (size == 0) return WrongKind(key, "an array of integers");
  return numbers;
}

Result<std::vector<float>> File::Floats(std::string_view key) const {
  BOOST_OUTCOME_TRY(const auto* value, Find(key, true));
  const size_t size = FixedSize(value->element);
  std::vector<float> numbers(size == 0 ? 0 : value->count);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto number = LoadFloat(value->element, value->bytes.data() + i * size);
    if (!number) return WrongKind(key, "an array of numbers");
    numbers[i] = static_cast<float>(*number);
  }
  if (size == 0) return WrongKind(key, "an array of numbers");
  return numbers;
}

}  // namespace portcullis::inference::gguf
