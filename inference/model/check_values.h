// What a model's files hold, and a look at every weight: damaged files show as values, or scales of
// blocks, that are not finite. Reads everything once, on several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/model/config.h"

namespace portcullis::inference {

struct Contents {
  std::vector<std::filesystem::path> files;  // that hold weights
  bool is_gguf = false;
  int64_t tensors = 0;
  int64_t parameters = 0;
  std::map<std::string, int64_t> bytes_by_type;
};
Result<Contents> ListContents(const std::filesystem::path& folder_or_gguf);
Result<ModelConfig> ConfigAt(const std::filesystem::path& folder_or_gguf);

struct BadValues {
  std::string tensor;
  int64_t count = 0;      // values that are not finite
  int64_t first_row = 0;  // of all dimensions but the last taken together
};

// In the order of the files. `done` counts bytes of tensors. Tensors of types that are known by
// name only are passed over.
Result<std::vector<BadValues>> FindBadValues(const std::filesystem::path& folder_or_gguf,
                                             int threads, std::atomic<int64_t>& done);

}  // namespace portcullis::inference
