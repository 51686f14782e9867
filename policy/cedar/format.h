// Lays policies out for people: one style, comments kept, at most 80 columns where that is
// possible. What comes out parses to the same policies, which is checked here, and formats to
// itself.
#pragma once

#include <string>
#include <string_view>

#include "policy/error.h"

namespace portcullis::policy::cedar {

struct FormatStyle {
  size_t width = 80;
  int indent = 2;
};

// The error is the parser's where the text does not parse.
Result<std::string> FormatPolicies(std::string_view text, std::string_view file_name,
                                   const FormatStyle& style = {});

}  // namespace portcullis::policy::cedar
