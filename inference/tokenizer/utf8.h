// UTF-8 (RFC 3629) helpers of the tokenizer: validation, stepping over code points, and how much of
// a byte string ends inside a character. Pure functions; overlong forms, surrogates and values
// above U+10FFFF are invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::inference {

// Length in bytes of the well-formed character at the front of `text`, or 0 when there is none.
size_t CharacterLength(std::string_view text);

// The code point at the front of `text`, which must start with a well-formed character.
char32_t FirstCodePoint(std::string_view text);

bool IsValidUtf8(std::string_view text);

// Length of the prefix of `bytes` that a later byte cannot change: everything but a tail that is a
// proper prefix of some well-formed character.
size_t CompletePrefix(std::string_view bytes);

// Replaces every maximal ill-formed part by U+FFFD.
std::string Scrub(std::string_view bytes);

void AppendUtf8(char32_t code_point, std::string& out);

}  // namespace portcullis::inference
