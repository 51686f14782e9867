// The sampling that a model's makers recommend, from generation_config.json of a model folder:
// temperature, top_p, top_k, min_p, repetition_penalty, do_sample. Values out of range are an
// error.
#pragma once

#include <filesystem>
#include <string_view>

#include "inference/error.h"
#include "inference/sample/sampler.h"

namespace portcullis::inference {

// A folder without that file, or a single GGUF file, has the defaults of SamplingOptions.
Result<SamplingOptions> LoadSamplingDefaults(const std::filesystem::path& model);

// The same from the text of the file.
Result<SamplingOptions> ParseSamplingDefaults(std::string_view generation_config);

}  // namespace portcullis::inference
