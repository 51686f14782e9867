// Safetensors: one file, or the shards that model.safetensors.index.json lists, over read-only
// mappings. The header is hostile until parsed: its length, JSON depth, types, shapes and offsets
// are checked, and tensors may not overlap. Every error names the file and the tensor.
// Safe on any thread after opening.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/model/mapped_file.h"
#include "inference/model/tensor.h"

namespace portcullis::inference {

// The tensors of one file's bytes, which must outlive them.
Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::string_view where);

// The tensors of each shard, by the shard's plain file name, as the text of
// model.safetensors.index.json lists them.
using ShardIndex = std::map<std::string, std::vector<std::string>>;
Result<ShardIndex> ParseShardIndex(std::string_view json, const std::string& where);

class Checkpoint {
 public:
  // Reads model.safetensors, or else the shards of model.safetensors.index.json.
  static Result<Checkpoint> Open(const std::filesystem::path& folder);

  const Tensor* FindTensor(std::string_view name) const;
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  const std::vector<MappedFile>& files() const { return files_; }

 private:
  std::vector<MappedFile> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace portcullis::inference
