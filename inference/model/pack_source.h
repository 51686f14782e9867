// Which cache file belongs to a model's weights, and what proves that it still does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inference/model/weights.h"
#include "inference/ops/pack_store.h"

namespace portcullis::inference {

// How a pack cache names the content: from the hex digest, or zeros where that is empty.
Digest ContentDigest(const std::string& sha256);

// `sha256`: hex digest of the content, or empty where it was not computed.
PackSource PackSourceOf(const Weights& weights, const std::string& sha256);

// The folder that a model lies in; its own where it is one.
std::filesystem::path FolderOf(const Weights& weights);

// The file in `folder`: NAME.pack where that is the model's, else NAME-HASH.pack, named after the
// path as well.
std::filesystem::path PackCachePath(const std::filesystem::path& folder, const Weights& weights);

}  // namespace portcullis::inference
