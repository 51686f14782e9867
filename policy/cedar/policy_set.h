// A parsed set of policies: immutable, shared between threads as shared_ptr<const PolicySet>.
// Ids are Cedar's: policy0, policy1 … in order of appearance over all files; in the JSON form they
// are the keys. Parsing is strict and bounded (text size, number of policies, depth). A template
// decides nothing until it is linked; where none is expected it is refused, lest a `forbid` with a
// slot be taken for a rule in force. Errors read "file:line:column: what was expected", followed by
// the line and a caret.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Json;         // json.h
struct Policy;       // ast.h
class PolicyIndex;   // index.h
struct ParsedFiles;  // ast.h: arena of the expressions and the texts they came from

struct SourceFile {
  std::string name;  // shown in errors
  std::string text;
};

// Makes a policy called `id` of a template: every slot of it gets an entity.
struct TemplateLink {
  std::string template_id;
  std::string id;
  std::optional<EntityUid> principal;
  std::optional<EntityUid> resource;
};
enum class Templates : uint8_t { kRefuse, kKeep };

inline constexpr size_t kMaxPolicyText = 16u << 20;  // bytes, all files of a set together
inline constexpr size_t kMaxPolicies = 100'000;

class PolicySet {
 public:
  static Result<PolicySet> Parse(std::string_view text, std::string_view file_name,
                                 Templates templates = Templates::kRefuse);
  static Result<PolicySet> Parse(const std::vector<SourceFile>& files,
                                 Templates templates = Templates::kRefuse,
                                 const std::vector<TemplateLink>& links = {});
  // Cedar's JSON form, {"staticPolicies","templates","templateLinks"}: policies as JSON or as
  // Cedar text under their ids; the static ones also as one text or as an array.
  static Result<PolicySet> FromJson(const Json& document, std::string_view file_name);
  static Result<PolicySet> ParseJson(std::string_view json, std::string_view file_name);
  // Checks that ids are unique and indexes what a reader has filled in.
  static Result<PolicySet> Assemble(std::unique_ptr<ParsedFiles> files);

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

  const std::vector<Policy>& policies() const;  // static ones and links
  const std::vector<Policy>& templates() const;
  const PolicyIndex& index() const;
  const ParsedFiles& files() const;

 private:
  std::unique_ptr<ParsedFiles> files_;
  std::unique_ptr<PolicyIndex> index_;
};

}  // namespace portcullis::policy::cedar
