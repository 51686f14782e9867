// Policy sets from Cedar's JSON form, and with the texts that it may hold.
#include <algorithm>
#include <array>

#include "policy/cedar/json.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/policy_source.h"
#include "policy/cedar/text.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

Error At(const std::string& path, std::string message, Code code = Code::kJson) {
  return {code, path + ": " + std::move(message)};
}

// One policy or template, as an object or as Cedar text, under the id given to it.
Result<void> ReadOne(ParsedFiles& files, const Json& json, const std::string& id, bool pattern,
                     const std::string& path) {
  const size_t before = files.policies.size() + files.templates.size();
  if (json.IsString()) {
    BOOST_OUTCOME_TRY(ReadPolicies(files, {path, json.string}));
    if (files.policies.size() + files.templates.size() != before + 1) {
      return At(path, "expected exactly one policy", Code::kSyntax);
    }
  } else {
    if (before >= kMaxPolicies) return At(path, "too many policies", Code::kTooLarge);
    BOOST_OUTCOME_TRY(Policy policy, PolicyFromJson(files, json, id, path));
    (policy.IsTemplate() ? files.templates : files.policies).push_back(std::move(policy));
  }
  std::vector<Policy>& expected = pattern ? files.templates : files.policies;
  if (expected.empty() || expected.back().file + 1 != files.files.size()) {
    return At(path,
              pattern ? "a template has a slot, this policy has none: it belongs to "
                        "\"staticPolicies\""
                      : "this policy is a template (it has a slot): it belongs to \"templates\"",
              Code::kUnsupported);
  }
  expected.back().id = id;
  return boost::outcome_v2::success();
}

Result<void> ReadStatic(ParsedFiles& files, const Json& json, const std::string& path) {
  if (json.IsString()) {
    BOOST_OUTCOME_TRY(ReadPolicies(files, {path, json.string}));
    if (!files.templates.empty()) {
      const Policy& pattern = files.templates.front();
      return Error{Code::kUnsupported,
                   Located(path, json.string, pattern.offset,
                           "this policy is a template (it has a slot): it belongs to "
                           "\"templates\"")};
    }
    return boost::outcome_v2::success();
  }
  for (size_t i = 0; i < json.items.size(); ++i) {
    BOOST_OUTCOME_TRY(ReadOne(files, json.items[i], "policy" + std::to_string(i), false,
                              path + "[" + std::to_string(i) + "]"));
  }
  for (const JsonMember& member : json.members) {
    BOOST_OUTCOME_TRY(ReadOne(files, member.value, member.name, false, path + "." + member.name));
  }
  if (!json.IsArray() && !json.IsObject()) return At(path, "expected a text, a list or an object");
  return boost::outcome_v2::success();
}

}  // namespace

Result<TemplateLink> LinkFromJson(const Json& json, const std::string& path) {
  const Json* pattern = json.Find("templateId");
  const Json* id = json.Find("newId");
  const Json* values = json.Find("values");
  if (pattern == nullptr || !pattern->IsString() || id == nullptr || !id->IsString() ||
      values == nullptr || !values->IsObject() || json.members.size() != 3) {
    return At(path, R"(expected {"templateId": …, "newId": …, "values": {…}})");
  }
  TemplateLink link{pattern->string, id->string, {}, {}};
  for (const JsonMember& member : values->members) {
    const std::string where = path + ".values." + member.name;
    BOOST_OUTCOME_TRY(EntityUid uid, UidFromJson(member.value, where));
    if (member.name == "?principal") {
      link.principal = std::move(uid);
    } else if (member.name == "?resource") {
      link.resource = std::move(uid);
    } else {
      return At(where, "expected \"?principal\" or \"?resource\"");
    }
  }
  return link;
}

Result<PolicySet> PolicySet::FromJson(const Json& document, std::string_view file_name) {
  constexpr std::array<std::string_view, 3> kMembers = {"staticPolicies", "templates",
                                                        "templateLinks"};
  const std::string file(file_name);
  if (!document.IsObject()) return At(file, "expected a policy set as an object");
  for (const JsonMember& member : document.members) {
    if (std::find(kMembers.begin(), kMembers.end(), member.name) == kMembers.end()) {
      return At(file, "unexpected member " + Quoted(member.name));
    }
  }
  auto files = std::make_unique<ParsedFiles>();
  if (const Json* policies = document.Find("staticPolicies")) {
    BOOST_OUTCOME_TRY(ReadStatic(*files, *policies, file + ".staticPolicies"));
  }
  if (const Json* patterns = document.Find("templates")) {
    if (!patterns->IsObject()) return At(file + ".templates", "expected an object");
    for (const JsonMember& member : patterns->members) {
      BOOST_OUTCOME_TRY(
          ReadOne(*files, member.value, member.name, true, file + ".templates." + member.name));
    }
  }
  if (const Json* links = document.Find("templateLinks")) {
    if (!links->IsArray()) return At(file + ".templateLinks", "expected a list");
    for (size_t i = 0; i < links->items.size(); ++i) {
      BOOST_OUTCOME_TRY(
          const TemplateLink link,
          LinkFromJson(links->items[i], file + ".templateLinks[" + std::to_string(i) + "]"));
      BOOST_OUTCOME_TRY(AddLink(*files, link));
    }
  }
  return Assemble(std::move(files));
}

Result<PolicySet> PolicySet::ParseJson(std::string_view json, std::string_view file_name) {
  BOOST_OUTCOME_TRY(const Json document, cedar::ParseJson(json, file_name));
  return FromJson(document, file_name);
}

}  // namespace portcullis::policy::cedar
