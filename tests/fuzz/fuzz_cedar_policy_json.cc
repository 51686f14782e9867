// Policy sets in JSON: must load or be refused; what loads writes JSON that loads as the same.
#include <cstdint>
#include <string_view>

#include "policy/cedar/cedar.h"
#include "policy/cedar/policy_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cedar = portcullis::policy::cedar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policies = cedar::PolicySet::ParseJson(text, "fuzz");
  if (!policies) return policies.error().message.empty() ? 1 : 0;
  const std::string json = cedar::ToJson(policies.value());
  const auto again = cedar::PolicySet::ParseJson(json, "again");
  // What was text may nest deeper as JSON than JSON is read.
  if (!again && again.error().code != portcullis::policy::Code::kTooDeep) __builtin_trap();
  if (again && cedar::ToJson(again.value()) != json) __builtin_trap();
  return 0;
}
