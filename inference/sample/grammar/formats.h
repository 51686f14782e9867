// Patterns of the formats that JSON Schema names. Each matches only texts that have the format,
// though not all of them: no 30 February, no exotic addresses; `jwt` is known by its form alone.
// Constant data.
#pragma once

#include <string_view>

namespace portcullis::inference::grammar {

// Empty for a format that is not known.
std::string_view FormatPattern(std::string_view format);
// What is asked of a time beside a pattern that forbids a zone, or seconds; empty for other formats.
std::string_view LocalFormatPattern(std::string_view format);
// One that says nothing about the text; one that speaks of numbers.
bool IsIgnoredFormat(std::string_view format);
bool IsNumberFormat(std::string_view format);

}  // namespace portcullis::inference::grammar
