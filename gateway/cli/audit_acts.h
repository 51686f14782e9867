// `portcullis audit release | hold | erase | keys | proof | override`: acts of people on the log itself. They go
// through auditd's socket and are recorded before they take effect; override works on a stopped auditd's
// folders.
#pragma once

#include <CLI/CLI.hpp>

#include "gateway/cli/command.h"

namespace portcullis::cli {

void AddAuditActs(CLI::App& noun, Context& context);

}  // namespace portcullis::cli
