// A GGUF file with the vocabulary of a tokenizer.json and no tensors, as converters write it: for
// comparing both readers on the same text.
#pragma once

#include <filesystem>
#include <string>

#include "inference/error.h"

namespace portcullis::inference {

// `pre`: the name of the pre-tokenizer; empty for a vocabulary in SentencePiece's manner.
Result<void> WriteVocabularyFile(const std::filesystem::path& folder, const std::string& pre,
                                 const std::filesystem::path& path);

}  // namespace portcullis::inference
