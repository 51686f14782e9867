// `portcullis policy …`: gathers the commands of the language (policy_language.cc, policy_format.cc),
// of revisions (policy_revise.cc) and of their comparison (policy_compare.cc).
#include "gateway/cli/command.h"

namespace portcullis::cli {

void AddPolicy(CLI::App& app, Context& context) {
  CLI::App* policy = app.add_subcommand("policy", "Check, test, ask and change policies");
  policy->require_subcommand(1);
  policy->footer("Exit codes: 0 yes, 1 unusable input, 2 no gateway, 3 the answer is no, 4 no key, 5 waits for approval.");
  AddPolicyLanguage(*policy, context);
  AddPolicyFormat(*policy, context);
  AddPolicyRevise(*policy, context);
  AddPolicyCompare(*policy, context);
}

}  // namespace portcullis::cli
