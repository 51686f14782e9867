// SHA-256 of a model's weight files, for the audit log: proof of what answered. Large models are
// hashed file by file on several threads. Files are read through open descriptors, so that what is
// hashed is what is mapped, whatever a name stands for by then.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/model/mapped_file.h"

namespace portcullis::inference {

// Hex digest of one file, or of the `sha256sum` lines of several, sorted by file name.
// `done` counts the bytes read so far; `threads` is at least 1.
Result<std::string> WeightDigest(std::vector<const MappedFile*> files, int threads,
                                 std::atomic<int64_t>& done);

// Hex digest of any file.
Result<std::string> FileDigest(const std::filesystem::path& path);

}  // namespace portcullis::inference
