// Small pieces of text work shared by the lexer, the messages and the formatter: quoting, names,
// and the rendering of a place in a source file ("file:line:column" with the line and a caret).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::policy::cedar {

// A Cedar string literal with its quotes; control characters escaped.
std::string Quoted(std::string_view text);
// [_a-zA-Z][_a-zA-Z0-9]*, and not one of the words that can never be a name.
bool IsIdentifier(std::string_view text);
// true false if then else in is like has __cedar: never a name.
bool IsReserved(std::string_view word);
bool IsValidUtf8(std::string_view text);
// At most `limit` bytes from the front of `text`, cut between two code points: what a message
// shows of UTF-8 stays UTF-8.
std::string_view Front(std::string_view text, size_t limit);
// The code point's bytes appended.
void AppendUtf8(std::string& out, uint32_t code_point);

struct Place {
  size_t line = 1;    // from 1
  size_t column = 1;  // from 1, in code points
};
Place PlaceOf(std::string_view text, size_t offset);

// "file:line:column: message", then the line and a caret under the place.
std::string Located(std::string_view file, std::string_view text, size_t offset,
                    std::string_view message);
// "file:line:column"
std::string LocationText(std::string_view file, std::string_view text, size_t offset);

}  // namespace portcullis::policy::cedar
