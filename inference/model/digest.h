// SHA-256 of a model's weight files, for the audit log: proof of what answered. Large models are
// hashed file by file on several threads.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "inference/error.h"

namespace portcullis::inference {

// Hex digest of one file, or of the `sha256sum` lines of several, sorted by file name.
// `done` counts the bytes read so far; `threads` is at least 1.
Result<std::string> WeightDigest(std::vector<std::filesystem::path> files, int threads,
                                 std::atomic<int64_t>& done);

}  // namespace portcullis::inference
