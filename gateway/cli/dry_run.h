// --dry-run of the `portcullis` program: "say what would be done, change nothing". A command that is not known to
// keep that promise is refused before it begins, so that a new one cannot break it by forgetting the option.
#pragma once

#include <CLI/CLI.hpp>

#include "gateway/cli/command.h"

namespace portcullis::cli {

// To be called once all commands are added: with --dry-run, what does not know it ends here with kUsage.
void GuardDryRun(CLI::App& app, Context& context);

}  // namespace portcullis::cli
