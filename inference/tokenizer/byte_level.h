// The byte alphabet of GPT-2's byte-level BPE: vocabularies write each byte as one printable
// character (space as Ġ, and so on). Pure functions, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace portcullis::inference {

// The bytes that `token` stands for; none when it holds a character outside the alphabet.
std::optional<std::string> FromByteLevel(std::string_view token);

}  // namespace portcullis::inference
