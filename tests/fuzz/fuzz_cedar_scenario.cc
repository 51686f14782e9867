// Test files, which come with a proposed revision: must be read or refused, within bounds, and
// every case that is read can be run and says something when it fails.
#include <cstdint>
#include <string_view>

#include "policy/cedar/scenario.h"

namespace cedar = portcullis::policy::cedar;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cedar::Folder folder = [] {
    cedar::Folder out;
    out.policies =
        cedar::PolicySet::Parse(
            "@id(\"a\") permit(principal == U::\"a\", action, resource) when { context.n > 1 };",
            "a.cedar")
            .value();
    return out;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cases = cedar::ParseScenarios(text, "a.test");
  if (!cases) {
    if (!cases.error().message.starts_with("a.test:")) __builtin_trap();
    return 0;
  }
  size_t run = 0;
  for (const cedar::Scenario& scenario : cases.value()) {
    if (++run > 100) break;
    const cedar::CaseResult result = cedar::RunScenario(scenario, "a.test", folder);
    if (result.passed != result.message.empty()) __builtin_trap();
  }
  return 0;
}
