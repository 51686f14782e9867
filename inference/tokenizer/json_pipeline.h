// The parts of tokenizer.json that describe text processing: normalizer, pre_tokenizer, decoder.
// Each reader refuses, by name, a kind of step that this engine does not have. Foreign bytes: every
// type is checked.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "inference/error.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

// What the steps say about the vocabulary's alphabet.
struct Alphabet {
  bool byte_level = false;  // tokens are written in GPT-2's byte alphabet
  bool metaspace = false;   // tokens write the space as U+2581
};

Result<void> ReadNormalizer(const boost::json::value& json, Tokenizer::Parts& parts);
Result<void> ReadPretokenizer(const boost::json::value& json, Tokenizer::Parts& parts,
                              Alphabet& alphabet);
Result<void> ReadDecoder(const boost::json::value& json, Tokenizer::Parts& parts,
                         Alphabet& alphabet);

// Typed access: a missing or null member gives `absent`, one of another type is an error.
Result<std::string_view> StringOr(const boost::json::object& object, std::string_view key,
                                  std::string_view absent);
Result<bool> BoolOr(const boost::json::object& object, std::string_view key, bool absent);
Error BadTokenizerJson(const std::string& what);

}  // namespace portcullis::inference
