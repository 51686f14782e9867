// `portcullis policy …`: gathers the commands of the language (policy_language.cc).
#include "gateway/cli/command.h"

namespace portcullis::cli {

void AddPolicy(CLI::App& app, Context& context) {
  CLI::App* policy = app.add_subcommand("policy", "Check, test, ask and change policies");
  policy->require_subcommand(1);
  policy->footer("Exit codes: 0 yes, 1 unusable input, 3 the answer is no.");
  AddPolicyLanguage(*policy, context);
}

}  // namespace portcullis::cli
