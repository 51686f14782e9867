#include "policy/cedar/batch.h"

#include <optional>

#include "policy/cedar/policy_json.h"
#include "policy/cedar/validate.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

Error Form(std::string message) { return {Code::kJson, std::move(message)}; }

Result<const Json*> Member(const Json& json, std::string_view name, std::string_view what) {
  const Json* found = json.Find(name);
  if (found != nullptr) return found;
  return Form(std::string(what) + " lacks the member \"" + std::string(name) + "\"");
}

template <class Range, class Write>
std::string JsonArray(const Range& range, Write&& write) {
  std::string out = "[";
  for (const auto& item : range) {
    if (out.size() > 1) out += ',';
    out += write(item);
  }
  return out + "]";
}

std::string ErrorJson(const Error& error) {
  return "{\"code\":" + std::to_string(static_cast<int>(error.code)) +
         ",\"message\":" + JsonQuoted(error.message) + "}";
}

std::string FindingJson(const Finding& finding) {
  return "{\"policy\":" + JsonQuoted(finding.policy) +
         ",\"message\":" + JsonQuoted(finding.message) + "}";
}

Result<PolicySet> LinkedPolicies(const std::string& text, const Json& links) {
  if (!links.IsArray()) return Form("templateLinks: expected a list");
  std::vector<TemplateLink> out;
  for (size_t i = 0; i < links.items.size(); ++i) {
    BOOST_OUTCOME_TRY(TemplateLink link, LinkFromJson(links.items[i], "templateLinks[" +
                                                                          std::to_string(i) + "]"));
    out.push_back(std::move(link));
  }
  return PolicySet::Parse({SourceFile{"policies", text}}, Templates::kKeep, out);
}

}  // namespace

struct Batch::Cache {
  std::optional<std::string> policy_text;  // of `policies`, where that came as one text
  std::unique_ptr<PolicySet> policies;
  std::optional<std::string> schema_text;
  std::unique_ptr<Schema> schema;
};

Batch::Batch() : cache_(std::make_unique<Cache>()) {}
Batch::~Batch() = default;

Result<Request> RequestFromJson(const Json& json, const Schema* schema) {
  if (!json.IsObject()) return Form("request: expected an object");
  Request request;
  const auto uid = [&](std::string_view name) -> Result<EntityUid> {
    BOOST_OUTCOME_TRY(const Json* member, Member(json, name, "request"));
    return UidFromJson(*member, "request." + std::string(name));
  };
  BOOST_OUTCOME_TRY(request.principal, uid("principal"));
  BOOST_OUTCOME_TRY(request.action, uid("action"));
  BOOST_OUTCOME_TRY(request.resource, uid("resource"));
  const Action* action = schema == nullptr ? nullptr : schema->FindAction(request.action);
  if (const Json* context = json.Find("context")) {
    const Type* expected = action == nullptr ? nullptr : action->context.get();
    BOOST_OUTCOME_TRY(request.context, ContextFromJson(*context, expected, "request.context"));
  }
  if (schema != nullptr) {
    BOOST_OUTCOME_TRY(schema->CheckRequest(request));
  }
  return request;
}

std::string ToJson(const Response& response) {
  const auto quoted = [](const std::string& text) { return JsonQuoted(text); };
  return std::string("{\"decision\":\"") + (response.allow ? "allow" : "deny") +
         "\",\"reasons\":" + JsonArray(response.reasons, quoted) +
         ",\"errors\":" + JsonArray(response.errors, quoted) + "}";
}

Result<const PolicySet*> Batch::Policies(const Json& document) {
  BOOST_OUTCOME_TRY(const Json* given, Member(document, "policies", "the line"));
  const Json* links = document.Find("templateLinks");
  if (!given->IsString() || links != nullptr) {
    cache_->policies.reset();  // only plain texts are worth remembering
    Result<PolicySet> parsed = given->IsString() ? LinkedPolicies(given->string, *links)
                                                 : PolicySet::FromJson(*given, "policies");
    if (!parsed) return parsed.error();
    cache_->policies = std::make_unique<PolicySet>(std::move(parsed.value()));
    cache_->policy_text.reset();
  } else if (!cache_->policies || cache_->policy_text != given->string) {
    BOOST_OUTCOME_TRY(PolicySet parsed, PolicySet::Parse(given->string, "policies"));
    cache_->policies = std::make_unique<PolicySet>(std::move(parsed));
    cache_->policy_text = given->string;
  }
  return cache_->policies.get();
}

Result<const Schema*> Batch::OptionalSchema(const Json& document) {
  const Json* given = document.Find("schema");
  if (given == nullptr || given->kind == Json::Kind::kNull) return nullptr;
  if (!given->IsString()) {
    BOOST_OUTCOME_TRY(Schema parsed, Schema::FromJson(*given, "schema"));
    cache_->schema = std::make_unique<Schema>(std::move(parsed));
    cache_->schema_text.reset();
  } else if (!cache_->schema || cache_->schema_text != given->string) {
    BOOST_OUTCOME_TRY(Schema parsed, Schema::ParseAny(given->string, "schema"));
    cache_->schema = std::make_unique<Schema>(std::move(parsed));
    cache_->schema_text = given->string;
  }
  return cache_->schema.get();
}

Result<Response> Batch::Decide(std::string_view line) {
  BOOST_OUTCOME_TRY(const Json document, ParseJson(line, "line"));
  if (!document.IsObject()) return Form("expected one JSON object on the line");
  BOOST_OUTCOME_TRY(const PolicySet* policies, Policies(document));
  BOOST_OUTCOME_TRY(const Schema* schema, OptionalSchema(document));
  Entities entities;
  if (const Json* list = document.Find("entities")) {
    BOOST_OUTCOME_TRY(entities, Entities::FromJson(*list, schema, "entities"));
  }
  BOOST_OUTCOME_TRY(const Json* question, Member(document, "request", "the line"));
  BOOST_OUTCOME_TRY(const Request request, RequestFromJson(*question, schema));
  return cedar::Authorize(*policies, entities, request);
}

Batch::Answer Batch::Authorize(std::string_view line) {
  const Result<Response> response = Decide(line);
  if (response) return {ToJson(response.value()), true, response.value().allow};
  return {"{\"decision\":\"deny\",\"reasons\":[],\"errors\":[],\"error\":" +
              ErrorJson(response.error()) + "}",
          false, false};
}

Batch::Answer Batch::Validate(std::string_view line) {
  const auto check = [&]() -> Result<Findings> {
    BOOST_OUTCOME_TRY(const Json document, ParseJson(line, "line"));
    if (!document.IsObject()) return Form("expected one JSON object on the line");
    BOOST_OUTCOME_TRY(const Schema* schema, OptionalSchema(document));
    if (schema == nullptr) return Form("the line lacks the member \"schema\"");
    BOOST_OUTCOME_TRY(const PolicySet* policies, Policies(document));
    return cedar::Validate(*policies, *schema);
  };
  const Result<Findings> findings = check();
  if (!findings) {
    return {"{\"ok\":false,\"errors\":[],\"error\":" + ErrorJson(findings.error()) + "}", false,
            false};
  }
  const bool ok = findings.value().errors.empty();
  return {std::string("{\"ok\":") + (ok ? "true" : "false") +
              ",\"errors\":" + JsonArray(findings.value().errors, FindingJson) +
              ",\"warnings\":" + JsonArray(findings.value().warnings, FindingJson) + "}",
          true, ok};
}

}  // namespace portcullis::policy::cedar
