// `portcullis audit release | hold | erase | shred | keys | proof | override`: acts of people on the log itself. They go
// through auditd's socket and are recorded before they take effect; override works on a stopped auditd's
// folders.
#pragma once

#include <map>
#include <string>

#include "audit/error.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {

void AddAuditActs(CLI::App& noun, Context& context);
void AddAuditKeys(CLI::App& noun, Context& context);      // called by AddAuditActs
void AddAuditOverride(CLI::App& noun, Context& context);  // called by AddAuditActs

audit::Result<std::string> AskAuditd(const std::string& socket, const std::string& act,
                                     std::map<std::string, std::string> values);
// Exit 3 where auditd says no, 2 where it cannot.
void FailAct(Context& context, const audit::Error& error);

}  // namespace portcullis::cli
