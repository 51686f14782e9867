// Policy text: must parse or be refused. What parses is asked a request, formats to itself, prints
// to the same policy, and its JSON reads back as the same JSON.
#include <cstdint>
#include <string_view>

#include "policy/cedar/cedar.h"
#include "policy/cedar/format.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/print.h"

namespace cedar = portcullis::policy::cedar;

namespace {

void Ask(const cedar::PolicySet& policies) {
  cedar::Entities entities;
  entities.Add({{"User", "a"}, {{"n", cedar::Value::Long(1)}}, {{"Group", "g"}}, {}});
  cedar::Request request;
  request.principal = {"User", "a"};
  request.action = {"Action", "view"};
  request.resource = {"Photo", "p"};
  const cedar::Response response = cedar::Authorize(policies, entities, request);
  if (response.allow && response.reasons.empty()) __builtin_trap();
  if (response.errors.size() != response.messages.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policies = cedar::PolicySet::Parse(text, "fuzz", cedar::Templates::kKeep);
  if (!policies) return policies.error().message.empty() ? 1 : 0;
  Ask(policies.value());
  const auto formatted = cedar::FormatPolicies(text, "fuzz");
  if (!formatted) __builtin_trap();
  const auto again = cedar::FormatPolicies(formatted.value(), "fuzz");
  if (!again || again.value() != formatted.value()) __builtin_trap();
  for (const cedar::Policy& policy : policies.value().policies()) {
    const auto printed = cedar::PolicySet::Parse(cedar::PrintPolicy(policy), "fuzz");
    if (!printed || printed.value().size() != 1) __builtin_trap();
    if (cedar::ToJson(printed.value().policies()[0]) != cedar::ToJson(policy)) __builtin_trap();
  }
  return 0;
}
