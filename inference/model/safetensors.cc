#include "inference/model/safetensors.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <cstring>
#include <limits>

#include "inference/model/json.h"

namespace portcullis::inference {
namespace {

constexpr uint64_t kMaxHeaderBytes = 64 << 20;
constexpr size_t kMaxIndexBytes = 64 << 20;
constexpr size_t kMaxDimensions = 8;
constexpr size_t kMaxShards = 4096;

struct TypeRow {
  std::string_view name;
  uint64_t bytes;
  DataType type;
};
constexpr std::array kTypes = {
    TypeRow{"F32", 4, DataType::kF32},       TypeRow{"F16", 2, DataType::kF16},
    TypeRow{"BF16", 2, DataType::kBF16},     TypeRow{"F64", 8, DataType::kOther},
    TypeRow{"I64", 8, DataType::kOther},     TypeRow{"I32", 4, DataType::kOther},
    TypeRow{"I16", 2, DataType::kOther},     TypeRow{"I8", 1, DataType::kOther},
    TypeRow{"U64", 8, DataType::kOther},     TypeRow{"U32", 4, DataType::kOther},
    TypeRow{"U16", 2, DataType::kOther},     TypeRow{"U8", 1, DataType::kOther},
    TypeRow{"BOOL", 1, DataType::kOther},    TypeRow{"F8_E4M3", 1, DataType::kF8E4M3},
    TypeRow{"F8_E5M2", 1, DataType::kOther},
};

// A non-negative integer of the header; nothing else is a size or an offset.
std::optional<uint64_t> Unsigned(const boost::json::value& value) {
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<uint64_t>(value.get_int64());
  if (value.is_uint64()) return value.get_uint64();
  return std::nullopt;
}

struct Placed {
  uint64_t begin;
  uint64_t end;
  Tensor tensor;
};

Result<Placed> ParseEntry(std::string_view name, const boost::json::value& entry,
                          const std::string& where) {
  const auto bad = [&](const std::string& problem) {
    return Error{Code::kBadFile, where + ": tensor `" + std::string(name) + "` " + problem};
  };
  if (!entry.is_object()) return bad("is not described by an object");
  const auto& fields = entry.get_object();
  const auto* type = fields.if_contains("dtype");
  const auto* shape = fields.if_contains("shape");
  const auto* offsets = fields.if_contains("data_offsets");
  if (type == nullptr || !type->is_string()) return bad("has no `dtype`");
  if (shape == nullptr || !shape->is_array()) return bad("has no `shape`");
  if (offsets == nullptr || !offsets->is_array() || offsets->get_array().size() != 2) {
    return bad("has no `data_offsets` of two numbers");
  }

  Placed placed{};
  placed.tensor.name = name;
  placed.tensor.type_name.assign(type->get_string().data(), type->get_string().size());
  const auto row = std::ranges::find(kTypes, placed.tensor.type_name, &TypeRow::name);
  if (row == kTypes.end()) return bad("has the unknown type `" + placed.tensor.type_name + "`");
  placed.tensor.type = row->type;

  if (shape->get_array().size() > kMaxDimensions) return bad("has too many dimensions");
  uint64_t size = row->bytes;
  for (const auto& dimension : shape->get_array()) {
    const auto count = Unsigned(dimension);
    if (!count || *count == 0 ||
        *count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / size) {
      return bad("has an impossible shape");
    }
    size *= *count;
    placed.tensor.shape.push_back(static_cast<int64_t>(*count));
  }
  const auto begin = Unsigned(offsets->get_array()[0]);
  const auto end = Unsigned(offsets->get_array()[1]);
  if (!begin || !end || *end < *begin) return bad("has impossible offsets");
  if (*end - *begin != size) {
    return bad("of shape " + ShapeText(placed.tensor.shape) + " needs " + std::to_string(size) +
               " bytes, but its offsets span " + std::to_string(*end - *begin));
  }
  placed.begin = *begin;
  placed.end = *end;
  return placed;
}

Result<void> AddFile(const std::filesystem::path& path, std::vector<MappedFile>& files,
                     std::map<std::string, Tensor, std::less<>>& tensors) {
  BOOST_OUTCOME_TRY(auto file, MappedFile::Open(path));
  BOOST_OUTCOME_TRY(auto parsed, ParseSafetensors(file.bytes(), "`" + path.string() + "`"));
  files.push_back(std::move(file));
  for (auto& tensor : parsed) {
    const std::string name = tensor.name;
    tensors.insert_or_assign(name, std::move(tensor));
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::string_view where) {
  const std::string place(where);
  uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    return Error{Code::kBadFile, place + " is too short to be a safetensors file"};
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length || length > kMaxHeaderBytes) {
    return Error{Code::kBadFile, place + " claims a header of " + std::to_string(length) +
                                     " bytes; the file is damaged, cut short, or no "
                                     "safetensors file"};
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length, length);
  const auto data = bytes.subspan(sizeof length + length);
  BOOST_OUTCOME_TRY(const auto header, ParseJsonObject(text, "the header of " + place));

  std::vector<Placed> placed;
  for (const auto& [key, entry] : header) {
    const std::string_view name(key.data(), key.size());
    if (name == "__metadata__") continue;
    BOOST_OUTCOME_TRY(auto tensor, ParseEntry(name, entry, place));
    if (tensor.end > data.size()) {
      return Error{Code::kBadFile, place + ": tensor `" + tensor.tensor.name + "` ends at byte " +
                                       std::to_string(tensor.end) + " of " +
                                       std::to_string(data.size()) + ": the file is cut short"};
    }
    tensor.tensor.bytes = data.subspan(tensor.begin, tensor.end - tensor.begin);
    placed.push_back(std::move(tensor));
  }
  std::ranges::sort(placed, {}, &Placed::begin);
  std::vector<Tensor> tensors;
  tensors.reserve(placed.size());
  for (size_t i = 0; i < placed.size(); ++i) {
    if (i > 0 && placed[i].begin < placed[i - 1].end) {
      return Error{Code::kBadFile, place + ": tensors `" + tensors.back().name + "` and `" +
                                       placed[i].tensor.name + "` overlap"};
    }
    tensors.push_back(std::move(placed[i].tensor));
  }
  return tensors;
}

Result<ShardIndex> ParseShardIndex(std::string_view json, const std::string& where) {
  BOOST_OUTCOME_TRY(const auto root, ParseJsonObject(json, where));
  const auto* map = root.if_contains("weight_map");
  if (map == nullptr || !map->is_object()) {
    return Error{Code::kBadFile, where + " has no `weight_map`"};
  }
  ShardIndex names;
  for (const auto& [tensor, file] : map->get_object()) {
    const std::string name = file.is_string() ? std::string(file.get_string().c_str()) : "";
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.' ||
        (file.is_string() && name.size() != file.get_string().size())) {
      return Error{Code::kBadFile, where + ": a tensor lies in `" + name +
                                       "`; a file name in the same folder is expected"};
    }
    names[name].emplace_back(tensor.data(), tensor.size());
    if (names.size() > kMaxShards) return Error{Code::kBadFile, where + " lists too many shards"};
  }
  if (names.empty()) return Error{Code::kBadFile, where + " lists no tensors"};
  return names;
}

Result<Checkpoint> Checkpoint::Open(const std::filesystem::path& folder) {
  Checkpoint checkpoint;
  const auto single = folder / "model.safetensors";
  const auto index = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) {
    BOOST_OUTCOME_TRY(AddFile(single, checkpoint.files_, checkpoint.tensors_));
  } else if (std::filesystem::exists(index, ignored)) {
    BOOST_OUTCOME_TRY(const auto text, ReadSmallFile(index, kMaxIndexBytes));
    BOOST_OUTCOME_TRY(const auto shards, ParseShardIndex(text, "`" + index.string() + "`"));
    for (const auto& [name, listed] : shards) {
      std::map<std::string, Tensor, std::less<>> held;
      BOOST_OUTCOME_TRY(AddFile(folder / name, checkpoint.files_, held));
      for (const auto& tensor : listed) {
        if (held.contains(tensor)) continue;
        return Error{Code::kBadFile, "`" + (folder / name).string() + "` lacks the tensor `" +
                                         tensor + "` that the index puts there"};
      }
      for (auto& [tensor, value] : held) {
        if (checkpoint.tensors_.contains(tensor)) {
          return Error{Code::kBadFile, "tensor `" + tensor + "` is in two files, the second is `" +
                                           (folder / name).string() + "`"};
        }
        checkpoint.tensors_.emplace(tensor, std::move(value));
      }
    }
  } else {
    return Error{Code::kIo, "`" + folder.string() +
                                "` holds neither model.safetensors nor "
                                "model.safetensors.index.json"};
  }
  return checkpoint;
}

const Tensor* Checkpoint::FindTensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace portcullis::inference
