// Policy text: must parse or be refused; what parses is asked a request and printed names.
#include <cstdint>
#include <string_view>

#include "policy/cedar/cedar.h"
#include "policy/cedar/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cedar = portcullis::policy::cedar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto policies = cedar::PolicySet::Parse(text, "fuzz")) {
    cedar::Entities entities;
    entities.Add({{"User", "a"}, {{"n", cedar::Value::Long(1)}}, {{"Group", "g"}}, {}});
    cedar::Request request;
    request.principal = {"User", "a"};
    request.action = {"Action", "view"};
    request.resource = {"Photo", "p"};
    const cedar::Response response = cedar::Authorize(policies.value(), entities, request);
    if (response.allow && response.reasons.empty()) __builtin_trap();
    if (response.errors.size() != response.messages.size()) __builtin_trap();
  }
  const auto schema = cedar::Schema::Parse(text, "fuzz");
  return schema || !schema.error().message.empty() ? 0 : 1;
}
