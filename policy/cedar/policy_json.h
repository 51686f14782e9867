// Cedar's JSON form of policies, templates and policy sets, both ways. Ids are the keys of the set.
// Errors name the path inside the document.
#pragma once

#include <string>

#include "policy/cedar/ast.h"
#include "policy/cedar/json.h"

namespace portcullis::policy::cedar {

// The policy's expressions go into `files`; its text, for messages, is the policy in Cedar syntax.
Result<Policy> PolicyFromJson(ParsedFiles& files, const Json& json, std::string id,
                              const std::string& path);
std::string ToJson(const Policy& policy);
// {"staticPolicies":{id:policy},"templates":{id:policy},"templateLinks":[…]}
std::string ToJson(const PolicySet& policies);

Result<TemplateLink> LinkFromJson(const Json& json, const std::string& path);

}  // namespace portcullis::policy::cedar
