// portcullis: the command line of the appliance. One file a command; see command.h.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "gateway/cli/command.h"
#include "gateway/cli/dry_run.h"
#include "gateway/cli/numbers.h"

namespace portcullis::cli {

void Fail(Context& context, ExitCode code, const std::string& message) {
  std::fprintf(stderr, "portcullis: %s\n", message.c_str());
  context.exit_code = code;
}

}  // namespace portcullis::cli

int main(int argc, char** argv) {
  using namespace portcullis::cli;
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Portcullis: an on-premise gateway appliance for language models", "portcullis");
  Context context;
  app.set_version_flag("--version", PORTCULLIS_VERSION);
  app.add_flag("--json", context.json, "one JSON document with a `schema` on standard output; search, tail, feed and serve: one a line");
  app.add_flag("--dry-run", context.dry_run, "say what would be done, change nothing; refused by what cannot");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Examples:\n"
      "  portcullis status\n"
      "  portcullis key issue --principal alice --days 30\n"
      "  portcullis audit verify build/demo/audit\n"
      "  echo 'call me at +49 30 1234567' | portcullis classify\n"
      "Exit codes: 0 ok, 1 usage or local trouble, 2 the other side failed, 3 the answer is no,\n"
      "            4 authentication needed, 5 waiting for approval, 130 interrupted");
  AddStatus(app, context);
  AddKey(app, context);
  AddPolicy(app, context);
  AddClassify(app, context);
  AddAudit(app, context);
  AddWitness(app, context);
  AddCerts(app, context);
  AddModel(app, context);
  GuardDryRun(app, context);
  GuardNumbers(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kOk : kUsage;
  } catch (const std::exception& e) {
    Fail(context, kUsage, e.what());
  }
  return context.exit_code;
}
