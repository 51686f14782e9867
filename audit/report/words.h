// Names that programs gave things, in words for people who were never here. The name itself follows in
// brackets, as it stands in the log, in the policies and in the JSON form of the report; an unknown name stays
// as it is. Pure.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::audit {

std::string OperationWords(std::string_view name);  // "policy_approve" → "approved a policy revision"
std::string TreatmentWords(std::string_view name);  // "forwardRedacted" → "with the findings taken out"
std::string ReasonWords(std::string_view name);     // "policy_denied" → "refused by policy (policy_denied)"
std::string FindingWords(std::string_view name);    // "iban" → "bank account number (iban)"
std::string ClassWords(std::string_view name);      // "GovernmentId" → "numbers of identity documents (GovernmentId)"

}  // namespace portcullis::audit
