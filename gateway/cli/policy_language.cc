// `portcullis policy check | authorize | validate | test`: the language, offline. Thin: the work is
// in policy/cedar. The answer "no" (denied, invalid, a test failed) is exit code 3; unusable input
// is 1.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>

#include "gateway/cli/command.h"
#include "policy/cedar/ast.h"
#include "policy/cedar/batch.h"
#include "policy/cedar/cedar.h"
#include "policy/cedar/folder.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/scenario.h"
#include "policy/cedar/validate.h"
#include "policy/cedar/value_json.h"

namespace portcullis::cli {
namespace {

namespace cedar = policy::cedar;
using policy::Result;

struct Options {
  std::vector<std::string> files;
  std::string schema;
  std::string policies;
  std::string links;
  std::string entities;
  std::string request;
  std::string dir;
  bool batch = false;
};

Result<std::vector<cedar::TemplateLink>> LoadLinks(const std::string& path) {
  std::vector<cedar::TemplateLink> links;
  if (path.empty()) return links;
  BOOST_OUTCOME_TRY(const std::string text, cedar::ReadTextFile(path, cedar::kMaxJsonText));
  BOOST_OUTCOME_TRY(const cedar::Json document, cedar::ParseJson(text, path));
  if (!document.IsArray()) {
    return policy::Error{policy::Code::kJson, path + ": expected a list of template links"};
  }
  for (const cedar::Json& item : document.items) {
    BOOST_OUTCOME_TRY(cedar::TemplateLink link, cedar::LinkFromJson(item, path));
    links.push_back(std::move(link));
  }
  return links;
}

// Cedar text, or one policy set in JSON (*.json).
Result<cedar::PolicySet> LoadPolicies(const std::vector<std::string>& paths,
                                      cedar::Templates templates, const std::string& links_path) {
  std::vector<cedar::SourceFile> sources;
  for (const std::string& path : paths) {
    BOOST_OUTCOME_TRY(std::string text, cedar::ReadTextFile(path, cedar::kMaxPolicyText));
    if (paths.size() == 1 && path.ends_with(".json")) {
      return cedar::PolicySet::ParseJson(text, path);
    }
    sources.push_back({path, std::move(text)});
  }
  BOOST_OUTCOME_TRY(const std::vector<cedar::TemplateLink> links, LoadLinks(links_path));
  return cedar::PolicySet::Parse(sources, links.empty() ? templates : cedar::Templates::kKeep,
                                 links);
}

Result<std::unique_ptr<cedar::Schema>> LoadSchema(const std::string& path) {
  if (path.empty()) return std::unique_ptr<cedar::Schema>();
  BOOST_OUTCOME_TRY(const std::string text, cedar::ReadTextFile(path, cedar::kMaxPolicyText));
  BOOST_OUTCOME_TRY(cedar::Schema schema, cedar::Schema::ParseAny(text, path));
  return std::make_unique<cedar::Schema>(std::move(schema));
}

std::string JsonList(const std::vector<cedar::Finding>& findings) {
  std::string out = "[";
  for (const cedar::Finding& finding : findings) {
    if (out.size() > 1) out += ',';
    out += "{\"policy\":" + cedar::JsonQuoted(finding.policy) +
           ",\"message\":" + cedar::JsonQuoted(finding.message) + "}";
  }
  return out + "]";
}

int Check(Context& context, const Options& options) {
  const auto refuse = [&](const policy::Error& error) {
    if (context.json) {
      std::cout << R"({"schema":"portcullis.policy.check/1","ok":false,"checks":["syntax"],)"
                << "\"errors\":[{\"message\":" << cedar::JsonQuoted(error.message) << "}]}\n";
    } else {
      std::cerr << error.message << '\n';
    }
    return error.code == policy::Code::kFile ? kUsage : kNo;
  };
  const Result<cedar::PolicySet> policies =
      LoadPolicies(options.files, cedar::Templates::kKeep, options.links);
  if (!policies) return refuse(policies.error());
  const Result<std::unique_ptr<cedar::Schema>> schema = LoadSchema(options.schema);
  if (!schema) return refuse(schema.error());
  cedar::Findings findings;
  const bool validated = schema.value() != nullptr;
  if (validated) findings = cedar::Validate(policies.value(), *schema.value());
  const bool ok = findings.errors.empty();
  if (context.json) {
    std::cout << "{\"schema\":\"portcullis.policy.check/1\",\"ok\":" << (ok ? "true" : "false")
              << ",\"policies\":" << policies.value().size()
              << ",\"templates\":" << policies.value().templates().size()
              << ",\"checks\":[\"syntax\"" << (validated ? ",\"types\"" : "")
              << "],\"errors\":" << JsonList(findings.errors)
              << ",\"warnings\":" << JsonList(findings.warnings) << "}\n";
  } else {
    for (const cedar::Finding& finding : findings.errors) std::cerr << finding.message << '\n';
    for (const cedar::Finding& finding : findings.warnings) {
      std::cerr << "warning: " << finding.message << '\n';
    }
    std::cout << policies.value().size() << " policies";
    if (const size_t templates = policies.value().templates().size(); templates > 0) {
      std::cout << ", " << templates << " templates";
    }
    std::cout << ": syntax checked";
    std::cout << (validated ? "; names and types checked against the schema"
                            : "; not checked against a schema (give one with --schema)");
    std::cout << (ok ? "\n" : "; not valid\n");
  }
  return ok ? kOk : kNo;
}

int RunBatch(bool validate) {
  cedar::Batch batch;
  std::string line;
  bool all_answered = true;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const cedar::Batch::Answer answer = validate ? batch.Validate(line) : batch.Authorize(line);
    std::cout << answer.json << '\n';
    all_answered = all_answered && answer.answered;
  }
  std::cout.flush();
  return all_answered ? kOk : kUsage;
}

Result<cedar::Response> AuthorizeFiles(const Options& options, const cedar::PolicySet& policies) {
  BOOST_OUTCOME_TRY(const std::unique_ptr<cedar::Schema> schema, LoadSchema(options.schema));
  cedar::Entities entities;
  if (!options.entities.empty()) {
    BOOST_OUTCOME_TRY(const std::string text,
                      cedar::ReadTextFile(options.entities, cedar::kMaxJsonText));
    BOOST_OUTCOME_TRY(entities, cedar::Entities::ParseJson(text, schema.get(), options.entities));
  }
  BOOST_OUTCOME_TRY(const std::string text,
                    cedar::ReadTextFile(options.request, cedar::kMaxJsonText));
  BOOST_OUTCOME_TRY(const cedar::Json document, cedar::ParseJson(text, options.request));
  BOOST_OUTCOME_TRY(const cedar::Request request, cedar::RequestFromJson(document, schema.get()));
  return cedar::Authorize(policies, entities, request);
}

int AuthorizeOnce(Context& context, const Options& options) {
  const Result<cedar::PolicySet> policies =
      LoadPolicies({options.policies}, cedar::Templates::kRefuse, options.links);
  if (!policies) {
    Fail(context, kUsage, policies.error().message);
    return kUsage;
  }
  const Result<cedar::Response> response = AuthorizeFiles(options, policies.value());
  if (!response) {
    Fail(context, kUsage, response.error().message);
    return kUsage;
  }
  const cedar::Response& answer = response.value();
  if (context.json) {
    std::cout << cedar::ToJson(answer) << '\n';
  } else {
    std::cout << (answer.allow ? "allow" : "deny") << '\n';
    for (const std::string& id : answer.reasons) {
      std::cout << "  because of " << policies.value().Label(id) << " ("
                << policies.value().Where(id) << ")\n";
    }
    for (const std::string& message : answer.messages) {
      std::cerr << "policy error: " << message << '\n';
    }
    if (answer.allow && !answer.errors.empty()) {
      std::cerr << "the appliance denies: a policy could not be evaluated\n";
    }
  }
  return answer.allow && answer.errors.empty() ? kOk : kNo;
}

int Test(Context& context, const Options& options) {
  const Result<std::vector<cedar::CaseResult>> results = cedar::RunScenarios(options.dir);
  if (!results) {
    Fail(context, kUsage, results.error().message);
    return kUsage;
  }
  const auto failed = std::count_if(results.value().begin(), results.value().end(),
                                    [](const cedar::CaseResult& result) { return !result.passed; });
  if (context.json) {
    std::cout << "{\"schema\":\"portcullis.policy.test/1\",\"passed\":"
              << results.value().size() - static_cast<size_t>(failed) << ",\"failed\":" << failed
              << ",\"cases\":[";
    bool first = true;
    for (const cedar::CaseResult& result : results.value()) {
      std::cout << (std::exchange(first, false) ? "" : ",")
                << "{\"name\":" << cedar::JsonQuoted(result.name)
                << ",\"where\":" << cedar::JsonQuoted(result.where)
                << ",\"passed\":" << (result.passed ? "true" : "false")
                << ",\"message\":" << cedar::JsonQuoted(result.message) << "}";
    }
    std::cout << "]}\n";
  } else {
    for (const cedar::CaseResult& result : results.value()) {
      std::cout << (result.passed ? "ok      " : "FAILED  ") << result.name << '\n';
      if (!result.passed) std::cout << "  " << result.where << ": " << result.message << '\n';
    }
    std::cout << results.value().size() << " cases, " << failed << " failed\n";
  }
  return failed == 0 ? kOk : kNo;
}

}  // namespace

void AddPolicyLanguage(CLI::App& policy, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* check = policy.add_subcommand("check", "Check policy files, with a schema also types");
  check->add_option("files", options->files, "Policy files (*.cedar), or a set in JSON")
      ->required();
  check->add_option("--links", options->links, "Links of the templates (JSON)");
  check->add_option("--schema", options->schema, "Schema, in Cedar syntax or JSON");
  check->footer("Example: portcullis policy check policy.cedar --schema schema.cedarschema");
  check->callback([options, &context] { context.exit_code = Check(context, *options); });

  CLI::App* authorize = policy.add_subcommand("authorize", "Ask whether a request is allowed");
  authorize->add_flag("--batch", options->batch,
                      "One question a line on standard input, one answer a line (JSON)");
  authorize->add_option("--policies", options->policies, "Policy file, or a set in JSON");
  authorize->add_option("--links", options->links, "Links of the templates (JSON)");
  authorize->add_option("--entities", options->entities, "Entities (JSON)");
  authorize->add_option("--request", options->request, "Request (JSON)");
  authorize->add_option("--schema", options->schema, "Schema, in Cedar syntax or JSON");
  authorize->footer(
      "Example: portcullis policy authorize --policies p.cedar --entities e.json --request r.json");
  authorize->callback([options, &context] {
    if (options->batch) {
      context.exit_code = RunBatch(false);
    } else if (options->policies.empty() || options->request.empty()) {
      Fail(context, kUsage, "give --policies and --request, or --batch");
    } else {
      context.exit_code = AuthorizeOnce(context, *options);
    }
  });

  CLI::App* validate = policy.add_subcommand("validate", "Validate policies against schemas");
  validate->add_flag("--batch", options->batch, "One set a line on standard input (JSON)")
      ->required();
  validate->callback([&context] { context.exit_code = RunBatch(true); });

  CLI::App* test = policy.add_subcommand("test", "Run the tests of a policy folder");
  test->add_option("dir", options->dir, "Folder with *.cedar, schema, entities and tests/")
      ->required();
  test->footer("Example: portcullis policy test policy/sets/default");
  test->callback([options, &context] { context.exit_code = Test(context, *options); });
}

}  // namespace portcullis::cli
