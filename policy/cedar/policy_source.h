// What a policy set is put together from: texts, and links of templates. Each step adds to the
// ParsedFiles that PolicySet::Assemble then checks and indexes.
#pragma once

#include "policy/cedar/ast.h"

namespace portcullis::policy::cedar {

// Parses one more text; all texts together are bounded by kMaxPolicyText.
Result<void> ReadPolicies(ParsedFiles& files, SourceFile source);
// The template must be there already, and exactly its slots filled.
Result<void> AddLink(ParsedFiles& files, const TemplateLink& link);

}  // namespace portcullis::policy::cedar
