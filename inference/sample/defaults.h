// The sampling that a model's makers recommend: temperature, top_p, top_k, min_p and
// repetition_penalty, from generation_config.json of a folder (where `do_sample` false is temperature
// 0) or from general.sampling.* of a GGUF file. What is not said has the default of SamplingOptions;
// values out of range are an error, kBadConfig.
#pragma once

#include <filesystem>
#include <string_view>

#include "inference/error.h"
#include "inference/model/gguf.h"
#include "inference/model/gguf_writer.h"
#include "inference/sample/sampler.h"

namespace portcullis::inference {

Result<SamplingOptions> SamplingDefaultsOfFolder(const std::filesystem::path& folder);
Result<SamplingOptions> SamplingDefaultsOfGguf(const gguf::File& file);

// The same from the text of generation_config.json.
Result<SamplingOptions> ParseSamplingDefaults(std::string_view generation_config);

// As general.sampling.*, those that are not SamplingOptions' own.
void WriteSamplingDefaults(const SamplingOptions& options, gguf::Writer& writer);

}  // namespace portcullis::inference
