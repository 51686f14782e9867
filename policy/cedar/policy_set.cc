#include "policy/cedar/policy_set.h"

#include "policy/cedar/ast.h"
#include "policy/cedar/index.h"
#include "policy/cedar/policy_source.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

const Policy* FindPolicy(const ParsedFiles& files, std::string_view id) {
  const auto found = files.by_id.find(id);
  return found == files.by_id.end() ? nullptr : &files.policies[found->second];
}

Error NotStatic(const ParsedFiles& files, const Policy& policy) {
  const Scope& scope = policy.principal.slot ? policy.principal : policy.resource;
  const SourceFile& file = files.FileOf(policy);
  return {Code::kUnsupported,
          Located(file.name, file.text, scope.offset,
                  "this policy is a template (it has a slot); a set of policies takes only "
                  "policies that name their principal and resource")};
}

}  // namespace

PolicySet::PolicySet()
    : files_(std::make_unique<ParsedFiles>()),
      index_(std::make_unique<PolicyIndex>(files_->policies)) {}
PolicySet::PolicySet(PolicySet&&) noexcept = default;
PolicySet& PolicySet::operator=(PolicySet&&) noexcept = default;
PolicySet::~PolicySet() = default;

Result<PolicySet> PolicySet::Parse(std::string_view text, std::string_view file_name,
                                   Templates templates) {
  return Parse({SourceFile{std::string(file_name), std::string(text)}}, templates);
}

Result<PolicySet> PolicySet::Parse(const std::vector<SourceFile>& sources, Templates templates,
                                   const std::vector<TemplateLink>& links) {
  auto files = std::make_unique<ParsedFiles>();
  for (const SourceFile& source : sources) {
    BOOST_OUTCOME_TRY(ReadPolicies(*files, source));
  }
  if (templates == Templates::kRefuse && !files->templates.empty()) {
    return NotStatic(*files, files->templates.front());
  }
  for (const TemplateLink& link : links) {
    BOOST_OUTCOME_TRY(AddLink(*files, link));
  }
  return Assemble(std::move(files));
}

Result<PolicySet> PolicySet::Assemble(std::unique_ptr<ParsedFiles> files) {
  for (uint32_t i = 0; i < files->policies.size(); ++i) {
    const std::string& id = files->policies[i].id;
    if (!files->by_id.emplace(id, i).second) {
      return Error{Code::kSyntax, "two policies have the id " + Quoted(id)};
    }
  }
  std::set<std::string_view> patterns;
  for (const Policy& pattern : files->templates) {
    if (files->by_id.contains(pattern.id) || !patterns.insert(pattern.id).second) {
      return Error{Code::kSyntax, "two policies have the id " + Quoted(pattern.id)};
    }
  }
  PolicySet set;
  set.files_ = std::move(files);
  set.index_ = std::make_unique<PolicyIndex>(set.files_->policies);
  return set;
}

size_t PolicySet::size() const { return files_->policies.size(); }
const std::vector<Policy>& PolicySet::policies() const { return files_->policies; }
const std::vector<Policy>& PolicySet::templates() const { return files_->templates; }
const PolicyIndex& PolicySet::index() const { return *index_; }
const ParsedFiles& PolicySet::files() const { return *files_; }

std::vector<std::string> PolicySet::Ids() const {
  std::vector<std::string> ids;
  for (const Policy& policy : files_->policies) ids.push_back(policy.id);
  return ids;
}

const std::map<std::string, std::string>* PolicySet::Annotations(std::string_view id) const {
  const Policy* policy = FindPolicy(*files_, id);
  return policy == nullptr ? nullptr : &policy->annotations;
}

std::string_view PolicySet::Label(std::string_view id) const {
  const auto* annotations = Annotations(id);
  if (annotations == nullptr) return id;
  const auto found = annotations->find("id");
  return found == annotations->end() || found->second.empty() ? id
                                                              : std::string_view(found->second);
}

std::string PolicySet::Where(std::string_view id) const {
  const Policy* policy = FindPolicy(*files_, id);
  if (policy == nullptr) return {};
  const SourceFile& file = files_->FileOf(*policy);
  return file.name + ":" + std::to_string(PlaceOf(file.text, policy->offset).line);
}

}  // namespace portcullis::policy::cedar
