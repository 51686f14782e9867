// A parsed set of policies: immutable, shared between threads as shared_ptr<const PolicySet>.
// Ids are Cedar's: policy0, policy1 … in order of appearance over all files. Parsing is strict and
// bounded (text size, number of policies, depth); templates are refused in a static set.
// Errors read "file:line:column: what was expected", followed by the line and a caret.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Policy;       // ast.h
class PolicyIndex;   // index.h
struct ParsedFiles;  // ast.h: arena of the expressions and the texts they came from

struct SourceFile {
  std::string name;  // shown in errors
  std::string text;
};

inline constexpr size_t kMaxPolicyText = 16u << 20;  // bytes, all files of a set together
inline constexpr size_t kMaxPolicies = 100'000;

class PolicySet {
 public:
  static Result<PolicySet> Parse(std::string_view text, std::string_view file_name);
  static Result<PolicySet> Parse(const std::vector<SourceFile>& files);

  PolicySet();  // empty: denies everything
  PolicySet(PolicySet&&) noexcept;
  PolicySet& operator=(PolicySet&&) noexcept;
  ~PolicySet();

  size_t size() const;
  std::vector<std::string> Ids() const;
  // nullptr when there is no such policy. An annotation without a value has the value "".
  const std::map<std::string, std::string>* Annotations(std::string_view id) const;
  // The name for people: the @id annotation where there is one, otherwise the id itself.
  std::string_view Label(std::string_view id) const;
  // "file:line" of the policy; empty when there is no such policy.
  std::string Where(std::string_view id) const;

  const std::vector<Policy>& policies() const;
  const PolicyIndex& index() const;
  const ParsedFiles& files() const;

 private:
  std::unique_ptr<ParsedFiles> files_;
  std::unique_ptr<PolicyIndex> index_;
};

}  // namespace portcullis::policy::cedar
