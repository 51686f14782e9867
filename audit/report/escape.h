// Text of the log made safe for a page: markup is escaped, control characters and the characters that
// turn the direction of text are shown as symbols, bytes that are no UTF-8 as U+FFFD. Pure.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::audit {

std::string EscapeHtml(std::string_view text);

// The same for a cell of a table: a day, with its time, stays on one line, and a word that is long without a
// hyphen may break anywhere (<span>, see style.h), so that no name pushes a table over the edge of the paper.
std::string CellHtml(std::string_view text);

}  // namespace portcullis::audit
