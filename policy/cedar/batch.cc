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
    BOOST_OUTCOME_TRY(TemplateLink link,
                      LinkFromJson(links.items[i], "templateLinks[" + std::to_string(i) + "]"));
    out.push_back(std::move(link));
  }
  return PolicySet::Parse({SourceFile{"policies", text}}, Templates::kKeep, out);
}

}  // namespace

struct Batch::Cache {
  std::optional<Json> policies_given;
  std::unique_ptr<PolicySet> policies;
  Json schema_given;
  std::unique_ptr<Schema> schema;
  Json entities_given;
  const Schema* entities_schema = nullptr;  // by which `entities` were read
  std::unique_ptr<Entities> entities;
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
  if (cache_->policies && links == nullptr && cache_->policies_given &&
      *cache_->policies_given == *given) {
    return cache_->policies.get();
  }
  cache_->policies.reset();
  Result<PolicySet> parsed = !given->IsString() ? PolicySet::FromJson(*given, "policies")
                             : links != nullptr ? LinkedPolicies(given->string, *links)
                                                : PolicySet::Parse(given->string, "policies");
  if (!parsed) return parsed.error();
  cache_->policies = std::make_unique<PolicySet>(std::move(parsed.value()));
  cache_->policies_given
      .reset();  // with links beside it, the text alone does not say what was made
  if (links == nullptr) cache_->policies_given = *given;
  return cache_->policies.get();
}

Result<const Schema*> Batch::OptionalSchema(const Json& document) {
  const Json* given = document.Find("schema");
  if (given == nullptr || given->kind == Json::Kind::kNull) return nullptr;
  if (cache_->schema && cache_->schema_given == *given) return cache_->schema.get();
  cache_->entities.reset();  // they may have been read by the schema that goes
  cache_->schema.reset();
  Result<Schema> parsed = given->IsString() ? Schema::ParseAny(given->string, "schema")
                                            : Schema::FromJson(*given, "schema");
  if (!parsed) return parsed.error();
  cache_->schema = std::make_unique<Schema>(std::move(parsed.value()));
  cache_->schema_given = *given;
  return cache_->schema.get();
}

Result<const Entities*> Batch::StoreOf(const Json& document, const Schema* schema) {
  static const Json kNone = [] {
    Json none;
    none.kind = Json::Kind::kArray;
    return none;
  }();
  const Json* given = document.Find("entities");
  if (given == nullptr) given = &kNone;
  if (cache_->entities && cache_->entities_schema == schema && cache_->entities_given == *given) {
    return cache_->entities.get();
  }
  cache_->entities.reset();
  BOOST_OUTCOME_TRY(Entities entities, Entities::FromJson(*given, schema, "entities"));
  cache_->entities = std::make_unique<Entities>(std::move(entities));
  cache_->entities_given = *given;
  cache_->entities_schema = schema;
  return cache_->entities.get();
}

Result<Response> Batch::Decide(std::string_view line) {
  BOOST_OUTCOME_TRY(const Json document, ParseJson(line, "line"));
  if (!document.IsObject()) return Form("expected one JSON object on the line");
  BOOST_OUTCOME_TRY(const PolicySet* policies, Policies(document));
  BOOST_OUTCOME_TRY(const Schema* schema, OptionalSchema(document));
  BOOST_OUTCOME_TRY(const Entities* entities, StoreOf(document, schema));
  BOOST_OUTCOME_TRY(const Json* question, Member(document, "request", "the line"));
  BOOST_OUTCOME_TRY(const Request request, RequestFromJson(*question, schema));
  return cedar::Authorize(*policies, *entities, request);
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
    const Json* mode = document.Find("mode");
    const bool permissive = mode != nullptr && mode->string == "permissive";
    return cedar::Validate(*policies, *schema, permissive ? Mode::kPermissive : Mode::kStrict);
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
