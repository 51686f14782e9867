#include "policy/cedar/policy_set.h"

#include <charconv>

#include "policy/cedar/ast.h"
#include "policy/cedar/index.h"
#include "policy/cedar/parser.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::string_view kIdPrefix = "policy";

const Policy* FindPolicy(const std::vector<Policy>& policies, std::string_view id) {
  if (!id.starts_with(kIdPrefix)) return nullptr;
  size_t position = 0;
  const char* end = id.data() + id.size();
  const auto [rest, error] = std::from_chars(id.data() + kIdPrefix.size(), end, position);
  const bool known = error == std::errc() && rest == end && position < policies.size();
  return known && policies[position].id == id ? &policies[position] : nullptr;
}

}  // namespace

PolicySet::PolicySet()
    : files_(std::make_unique<ParsedFiles>()),
      index_(std::make_unique<PolicyIndex>(files_->policies)) {}
PolicySet::PolicySet(PolicySet&&) noexcept = default;
PolicySet& PolicySet::operator=(PolicySet&&) noexcept = default;
PolicySet::~PolicySet() = default;

Result<PolicySet> PolicySet::Parse(std::string_view text, std::string_view file_name) {
  return Parse({SourceFile{std::string(file_name), std::string(text)}});
}

Result<PolicySet> PolicySet::Parse(const std::vector<SourceFile>& files) {
  PolicySet set;
  set.files_->files = files;
  size_t total = 0;
  for (uint32_t i = 0; i < files.size(); ++i) {
    total += files[i].text.size();
    if (total > kMaxPolicyText) {
      return Error{Code::kTooLarge, files[i].name + ": more than " +
                                        std::to_string(kMaxPolicyText) +
                                        " bytes of policy text in one set"};
    }
    if (!IsValidUtf8(files[i].text)) {
      return Error{Code::kSyntax, files[i].name + ": the text is not valid UTF-8"};
    }
    BOOST_OUTCOME_TRY(Parser(*set.files_, i).ParsePolicies());
  }
  std::vector<Policy>& policies = set.files_->policies;
  for (size_t i = 0; i < policies.size(); ++i) {
    policies[i].id = std::string(kIdPrefix) + std::to_string(i);
  }
  set.index_ = std::make_unique<PolicyIndex>(policies);
  return set;
}

size_t PolicySet::size() const { return files_->policies.size(); }
const std::vector<Policy>& PolicySet::policies() const { return files_->policies; }
const PolicyIndex& PolicySet::index() const { return *index_; }
const ParsedFiles& PolicySet::files() const { return *files_; }

std::vector<std::string> PolicySet::Ids() const {
  std::vector<std::string> ids;
  for (const Policy& policy : files_->policies) ids.push_back(policy.id);
  return ids;
}

const std::map<std::string, std::string>* PolicySet::Annotations(std::string_view id) const {
  const Policy* policy = FindPolicy(files_->policies, id);
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
  const Policy* policy = FindPolicy(files_->policies, id);
  if (policy == nullptr) return {};
  const SourceFile& file = files_->FileOf(*policy);
  return file.name + ":" + std::to_string(PlaceOf(file.text, policy->offset).line);
}

}  // namespace portcullis::policy::cedar
