#include "audit/report/words.h"

#include <span>

namespace portcullis::audit {
namespace {

struct Entry {
  std::string_view name, words;
};

constexpr Entry kOperations[] = {
    {"start", "the gateway started; in force"},
    {"rotate", "the key store was encrypted anew"},
    {"status", "read the status"},
    {"metrics", "read the metrics"},
    {"key_list", "listed API keys"},
    {"key_issue", "issued an API key for"},
    {"key_revoke", "revoked an API key"},
    {"principal_put", "entered a person or program"},
    {"policy_status", "read the state of policies"},
    {"policy_revision", "read a policy revision"},
    {"policy_seed", "made the first policy revision, without approval"},
    {"policy_draft", "drafted a policy revision"},
    {"policy_edit", "edited a policy revision, which voids its approvals"},
    {"policy_check", "checked a policy revision"},
    {"policy_propose", "proposed a policy revision"},
    {"policy_approve", "approved a policy revision"},
    {"policy_apply", "asked to put a policy revision in force"},
    {"policy_activate", "put a policy revision in force"},
    {"policy_keep", "kept a policy revision after its probation"},
    {"policy_rollback", "rolled a policy revision back"},
    {"policy_withdraw", "withdrew a policy revision"},
};

constexpr Entry kTreatments[] = {
    {"forward", "as it was written"},
    {"forwardRedacted", "with the findings taken out"},
    {"forwardPseudonymised", "with pseudonyms for the findings"},
    {"refused", "refused"},
};

constexpr Entry kReasons[] = {
    {"bad_request", "not a well-formed request"},
    {"invalid_parameter", "a parameter was not valid"},
    {"invalid_api_key", "nobody known: wrong or missing key"},
    {"policy_denied", "refused by policy"},
    {"not_found", "asked for what is not there"},
    {"model_not_found", "asked for a model that is not served"},
    {"method_not_allowed", "wrong HTTP method"},
    {"request_timeout", "the request came too slowly"},
    {"conflict", "did not fit the present state"},
    {"request_too_large", "request too large"},
    {"context_length_exceeded", "longer than the model can read"},
    {"rate_limit_exceeded", "too many requests in a time"},
    {"insufficient_quota", "the caller's budget was spent"},
    {"overloaded", "too busy"},
    {"audit_unavailable", "the audit log took no record"},
    {"engine_unavailable", "no model was running"},
    {"engine_error", "the model failed"},
    {"client_closed_request", "the caller went away"},
    {"shutting_down", "the gateway was being stopped"},
    {"internal_error", "fault in the gateway"},
    {"bad_configuration", "configuration not valid"},
    {"state_unavailable", "the gateway's own records could not be read"},
    {"tls_error", "no secure connection"},
    {"io_error", "reading or writing failed"},
    {"header_too_large", "request head too large"},
    {"unsupported_media_type", "body of an unknown type"},
    {"filter_failed", "the answer could not be examined"},
    {"temporarily_refused", "kept out for a time after many failures"},
};

constexpr Entry kFindings[] = {
    {"marking", "mark of classification"},
    {"email", "e-mail address"},
    {"phone", "telephone number"},
    {"iban", "bank account number"},
    {"pan", "payment card number"},
    {"dk_cpr", "Danish personal number"},
    {"in_aadhaar", "Indian identity number"},
    {"kr_rrn", "Korean resident number"},
    {"nl_bsn", "Dutch citizen number"},
    {"us_ssn", "US social security number"},
    {"ipv4", "network address"},
    {"ipv6", "network address"},
    {"api_key", "API key"},
    {"aws_access_key_id", "access key of Amazon Web Services"},
    {"connection_string", "password in a connection string"},
    {"github_token", "access token of GitHub"},
    {"jwt", "signed access token"},
    {"private_key", "private key"},
};

constexpr Entry kClasses[] = {
    {"Personal", "data of persons"},
    {"Contact", "e-mail addresses and telephone numbers"},
    {"Network", "network addresses"},
    {"Financial", "accounts and payment cards"},
    {"GovernmentId", "numbers of identity documents"},
    {"Health", "health"},
    {"Secret", "passwords and keys"},
    {"Classified", "documents marked as classified"},
};

std::string Look(std::span<const Entry> table, std::string_view name, bool with_name) {
  for (const Entry& entry : table) {
    if (entry.name != name) continue;
    return std::string(entry.words) + (with_name ? " (" + std::string(name) + ")" : "");
  }
  return std::string(name);
}

}  // namespace

std::string OperationWords(std::string_view name) { return Look(kOperations, name, false); }
std::string TreatmentWords(std::string_view name) { return Look(kTreatments, name, false); }
std::string ReasonWords(std::string_view name) { return Look(kReasons, name, true); }
std::string FindingWords(std::string_view name) { return Look(kFindings, name, true); }
std::string ClassWords(std::string_view name) { return Look(kClasses, name, true); }

}  // namespace portcullis::audit
