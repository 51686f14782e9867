// Whole numbers on the command line are plain digits: a sign or a number that does not fit is refused, where the
// library would take -1 as 2^64 - 1.
#pragma once

#include <CLI/CLI.hpp>

namespace portcullis::cli {

// For every option and argument of an unsigned type, of all commands. Once all are added.
void GuardNumbers(CLI::App& app);

}  // namespace portcullis::cli
