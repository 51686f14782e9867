// Conversion of a model, a Hugging Face folder or a GGUF file, to a GGUF file of another type with
// its metadata and vocabulary, so that every engine that reads GGUF can use it. Rows are converted
// on several threads and streamed; the output appears whole or not at all. Weights that are not
// finite or do not fit the new type are refused: a damaged model is never passed on. `portcullis
// model quantize` is this function.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "inference/error.h"
#include "inference/model/quantize_mix.h"

namespace portcullis::inference {

struct ConvertOptions {
  QuantMix mix;
  int threads = 1;
  // Called on the converting thread, between tensors.
  std::function<void(double fraction, std::string_view tensor)> progress = {};
};

struct ConvertReport {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;   // of the file
  std::string notes;   // what was left out; empty: nothing
};

// `output` may not be one of the files that are read.
Result<ConvertReport> ConvertToGguf(const std::filesystem::path& input,
                                    const std::filesystem::path& output,
                                    const ConvertOptions& options);

}  // namespace portcullis::inference
