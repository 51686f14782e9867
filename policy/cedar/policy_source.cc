#include "policy/cedar/policy_source.h"

#include <algorithm>

#include "policy/cedar/parser.h"
#include "policy/cedar/text.h"
#include "policy/cedar/tree.h"

namespace portcullis::policy::cedar {

Result<void> ReadPolicies(ParsedFiles& files, SourceFile source) {
  files.text_size += source.text.size();
  if (files.text_size > kMaxPolicyText) {
    return Error{Code::kTooLarge, source.name + ": more than " + std::to_string(kMaxPolicyText) +
                                      " bytes of policy text in one set"};
  }
  if (!IsValidUtf8(source.text)) {
    return Error{Code::kSyntax, source.name + ": the text is not valid UTF-8"};
  }
  files.files.push_back(std::move(source));
  return Parser(files, static_cast<uint32_t>(files.files.size() - 1)).ParsePolicies();
}

Result<void> AddLink(ParsedFiles& files, const TemplateLink& link) {
  const std::string what = "link " + Quoted(link.id) + " of template " + Quoted(link.template_id);
  const auto found =
      std::find_if(files.templates.begin(), files.templates.end(),
                   [&](const Policy& pattern) { return pattern.id == link.template_id; });
  if (found == files.templates.end()) {
    return Error{Code::kSyntax, what + ": there is no such template"};
  }
  if (files.policies.size() >= kMaxPolicies) {
    return Error{Code::kTooLarge,
                 what + ": more than " + std::to_string(kMaxPolicies) + " policies"};
  }
  std::optional<Value> principal, resource;
  const auto take = [&](const Scope& scope, const std::optional<EntityUid>& uid,
                        std::string_view name, std::optional<Value>& out) -> Result<void> {
    if (scope.slot != uid.has_value()) {
      return Error{Code::kSyntax, what +
                                      (scope.slot ? ": lacks a value for `" : ": has no slot `") +
                                      std::string(name) + "`"};
    }
    if (uid) out = Value::Entity(*uid);
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(take(found->principal, link.principal, "?principal", principal));
  BOOST_OUTCOME_TRY(take(found->resource, link.resource, "?resource", resource));
  files.policies.push_back(LinkTemplate(*found, link.id, principal ? &*principal : nullptr,
                                        resource ? &*resource : nullptr));
  return boost::outcome_v2::success();
}

}  // namespace portcullis::policy::cedar
