#include "gateway/cli/dry_run.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace portcullis::cli {
namespace {

// Those that look at Context::dry_run before they change anything, and those that only read.
constexpr auto kKnowDryRun = std::to_array<std::string_view>({
    "audit erase", "audit init", "audit keygen", "audit receipt", "audit shred", "audit tail", "audit verify",
    "certs crl", "certs init", "certs issue", "certs revoke", "certs show",
    "classify",
    "key issue", "key list", "key revoke",
    "model info",
    "policy apply", "policy approve", "policy authorize", "policy check", "policy convert", "policy diff",
    "policy format", "policy keep", "policy keygen", "policy log", "policy propose", "policy rollback",
    "policy test", "policy validate", "policy whatif", "policy withdraw",
    "principal put",
    "status",
});

}  // namespace

void GuardDryRun(CLI::App& app, Context& context) {
  app.parse_complete_callback([&app, &context] {
    if (!context.dry_run) return;
    std::string path;
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      path += (path.empty() ? "" : " ") + at->get_name();
    }
    if (std::find(kKnowDryRun.begin(), kKnowDryRun.end(), path) != kKnowDryRun.end()) return;
    Fail(context, kUsage, "`" + path + "` cannot be tried with --dry-run; nothing was done");
    throw CLI::RuntimeError(kUsage);
  });
}

}  // namespace portcullis::cli
