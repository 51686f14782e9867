// What every command of the `portcullis` program shares: one file a command, each adding itself to
// the application. Data goes to standard output, words to standard error. Exit codes are stable.
#pragma once

#include <CLI/CLI.hpp>

namespace portcullis::cli {

enum ExitCode : int {
  kOk = 0,
  kUsage = 1,       // usage or local trouble (a file, an argument)
  kRemote = 2,      // the other side (gateway, disk log) failed
  kNo = 3,          // the answer is no: denied, verification or tests failed
  kAuth = 4,        // authentication needed
  kWaiting = 5,     // waits for somebody's approval
  kInterrupted = 130,
};

// Shared by all commands; lives in main() and outlives every callback.
struct Context {
  bool json = false;     // --json: one JSON document (with a "schema" field) on standard output; streams: one a line
  bool dry_run = false;  // --dry-run: say what would be done, change nothing (dry_run.h)
  int exit_code = kOk;   // set by the callback of the command that ran
};

// Prints `portcullis: message` to standard error and sets the exit code.
void Fail(Context& context, ExitCode code, const std::string& message);

void AddKey(CLI::App& app, Context& context);
void AddStatus(CLI::App& app, Context& context);
void AddCerts(CLI::App& app, Context& context);
void AddPolicy(CLI::App& app, Context& context);
void AddPolicyRevise(CLI::App& policy, Context& context);
void AddPolicyCompare(CLI::App& policy, Context& context);
void AddPolicyLanguage(CLI::App& policy, Context& context);  // called by AddPolicy
void AddPolicyFormat(CLI::App& policy, Context& context);    // called by AddPolicy
void AddClassify(CLI::App& app, Context& context);
void AddAudit(CLI::App& app, Context& context);
void AddWitness(CLI::App& app, Context& context);
void AddAuditReport(CLI::App& noun, Context& context);  // called by AddAudit
void AddModel(CLI::App& app, Context& context);

}  // namespace portcullis::cli
