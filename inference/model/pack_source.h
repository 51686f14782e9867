// Which cache file belongs to a model's weights, and what proves that it still does.
#pragma once

#include <filesystem>
#include <string>

#include "inference/model/weights.h"
#include "inference/ops/pack_store.h"

namespace portcullis::inference {

// `sha256`: hex digest of the content, or empty where it was not computed.
PackSource PackSourceOf(const Weights& weights, const std::string& sha256);

// A file in `folder`, named after the model and the path it is at.
std::filesystem::path PackCachePath(const std::filesystem::path& folder, const Weights& weights);

}  // namespace portcullis::inference
