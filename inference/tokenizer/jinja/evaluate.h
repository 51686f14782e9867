// Runs a parsed chat template on a conversation. It can do nothing but write text: no files, no
// clock but the date given, no attributes beyond the data. Steps, bytes made, output and nesting
// are bounded (meter.h), so that a hostile template costs bounded time and memory. Failure:
// kBadTemplate, also where the template itself refuses the messages (`raise_exception`). A Node may
// be run from several threads at once.
#pragma once

#include <ctime>

#include "inference/error.h"
#include "inference/tokenizer/jinja/meter.h"
#include "inference/tokenizer/jinja/syntax.h"

namespace portcullis::inference::jinja {

// `variables`: what the template sees. `now`: what strftime_now tells.
Result<Text> Run(const Node& root, const Dict& variables, std::time_t now);
// The same at the expense of `meter`, which tells what it has cost.
Result<Text> Run(const Node& root, const Dict& variables, std::time_t now, Meter& meter);

}  // namespace portcullis::inference::jinja
