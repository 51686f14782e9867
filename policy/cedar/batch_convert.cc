// Batch lines that turn policies and schemas from one form into the other, and that lay policies
// out.
#include "policy/cedar/batch.h"
#include "policy/cedar/format.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/print.h"
#include "policy/cedar/schema_build.h"
#include "policy/cedar/schema_json.h"
#include "policy/cedar/schema_write.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

Error Form(std::string message) { return {Code::kJson, std::move(message)}; }

Result<PolicySet> PoliciesOf(const Json& given) {
  if (given.IsString()) return PolicySet::Parse(given.string, "policies", Templates::kKeep);
  const bool one = given.Find("effect") != nullptr;
  if (!one) return PolicySet::FromJson(given, "policies");
  auto files = std::make_unique<ParsedFiles>();
  BOOST_OUTCOME_TRY(Policy policy, PolicyFromJson(*files, given, "policy0", "policies"));
  (policy.IsTemplate() ? files->templates : files->policies).push_back(std::move(policy));
  return PolicySet::Assemble(std::move(files));
}

std::string TextOf(const PolicySet& policies) {
  std::string text;
  for (const auto* list : {&policies.policies(), &policies.templates()}) {
    for (const Policy& policy : *list) text += PrintPolicy(policy) + "\n";
  }
  return text;
}

Result<WrittenSchema> SchemaOf(const Json& given) {
  if (given.IsString()) {
    BOOST_OUTCOME_TRY(Schema::Parse(given.string, "schema"));  // names resolve too
    return ReadSchemaText(given.string, "schema");
  }
  BOOST_OUTCOME_TRY(Schema::FromJson(given, "schema"));
  std::vector<std::string> places;
  return SchemaFromJson(given, "schema", places);
}

Result<std::string> Converted(const Json& document) {
  const Json* to = document.Find("to");
  const bool json = to != nullptr && to->string == "json";
  if (to == nullptr || (!json && to->string != "text")) {
    return Form("expected \"to\": \"json\" or \"text\"");
  }
  if (const Json* given = document.Find("policies")) {
    BOOST_OUTCOME_TRY(const PolicySet policies, PoliciesOf(*given));
    if (json) return "{\"json\":" + ToJson(policies) + "}";
    BOOST_OUTCOME_TRY(const std::string text, FormatPolicies(TextOf(policies), "policies"));
    return "{\"text\":" + JsonQuoted(text) + "}";
  }
  if (const Json* given = document.Find("schema")) {
    BOOST_OUTCOME_TRY(const WrittenSchema schema, SchemaOf(*given));
    if (json) return "{\"json\":" + SchemaJson(schema) + "}";
    BOOST_OUTCOME_TRY(const std::string text, SchemaText(schema));
    return "{\"text\":" + JsonQuoted(text) + "}";
  }
  return Form("the line lacks \"policies\" or \"schema\"");
}

Batch::Answer Wrap(const Result<std::string>& answer) {
  if (answer) return {answer.value(), true, true};
  return {"{\"error\":{\"code\":" + std::to_string(static_cast<int>(answer.error().code)) +
              ",\"message\":" + JsonQuoted(answer.error().message) + "}}",
          false, false};
}

}  // namespace

Batch::Answer Batch::Convert(std::string_view line) {
  const auto convert = [&]() -> Result<std::string> {
    BOOST_OUTCOME_TRY(const Json document, ParseJson(line, "line"));
    return Converted(document);
  };
  return Wrap(convert());
}

Batch::Answer Batch::Format(std::string_view line) {
  const auto format = [&]() -> Result<std::string> {
    BOOST_OUTCOME_TRY(const Json document, ParseJson(line, "line"));
    const Json* given = document.Find("policies");
    if (given == nullptr || !given->IsString()) {
      return Form("policies: expected Cedar text in a string");
    }
    BOOST_OUTCOME_TRY(const std::string text, FormatPolicies(given->string, "policies"));
    return "{\"text\":" + JsonQuoted(text) + "}";
  };
  return Wrap(format());
}

}  // namespace portcullis::policy::cedar
