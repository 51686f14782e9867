#include "policy/cedar/scenario.h"

#include <algorithm>

#include "policy/cedar/ast.h"
#include "policy/cedar/eval.h"
#include "policy/cedar/json.h"
#include "policy/cedar/parser.h"

namespace portcullis::policy::cedar {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTestText = 4u << 20;  // bytes
constexpr std::string_view kContextPrefix = "context.";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

Error At(std::string_view file, size_t line, std::string_view message) {
  return {Code::kTest,
          std::string(file) + ":" + std::to_string(line) + ": " + std::string(message)};
}

Result<Value> ValueOf(const Scenario::Setting& setting, std::string_view file) {
  ParsedFiles files;
  files.files.push_back({std::string(file), setting.text});
  const auto expr = Parser(files, 0).ParseWholeExpression();
  if (!expr) {  // read again with blanks in front, which make the error's line and column right
    ParsedFiles placed;
    placed.files.push_back({std::string(file), std::string(setting.line - 1, '\n') +
                                                   std::string(setting.column - 1, ' ') +
                                                   setting.text});
    BOOST_OUTCOME_TRY(Parser(placed, 0).ParseWholeExpression());
    return expr.error();
  }
  const Entities none;
  const EntityView view(none, nullptr);
  const Value nothing = Value::Record({});
  const Value nobody = Value::Entity("None", "");
  Evaluator evaluator(view, nobody, nobody, nobody, nothing);
  Result<Value> value = evaluator.Evaluate(*expr.value());
  if (!value) return At(file, setting.line, value.error().message);
  return value;
}

Result<EntityUid> UidOf(const Scenario& scenario, const std::string& key, std::string_view file) {
  const auto found = scenario.settings.find(key);
  if (found == scenario.settings.end()) {
    return At(file, scenario.line, "the case needs `" + key + " = …`, here or in `base`");
  }
  BOOST_OUTCOME_TRY(const Value value, ValueOf(found->second, file));
  if (value.kind() != Kind::kEntity) {
    return At(file, found->second.line, "`" + key + "` must be an entity");
  }
  return value.entity();
}

std::set<std::string> NamesIn(const Scenario& scenario, const std::string& key) {
  std::set<std::string> names;
  const auto found = scenario.settings.find(key);
  std::string_view rest =
      found == scenario.settings.end() ? std::string_view() : std::string_view(found->second.text);
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view name = Trim(rest.substr(0, comma));
    if (!name.empty() && name != "nothing") names.emplace(name);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return names;
}

std::string Join(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "nothing" : out;
}

Result<std::string> Mismatch(const Scenario& scenario, std::string_view file,
                             const Folder& folder) {
  BOOST_OUTCOME_TRY(const Request request, RequestOf(scenario, file));
  if (folder.schema) {
    BOOST_OUTCOME_TRY(folder.schema->CheckRequest(request));
  }
  const Response response = Authorize(folder.policies, folder.entities, request);
  const auto labels = [&](const std::vector<std::string>& ids) {
    std::set<std::string> names;
    for (const std::string& id : ids) names.emplace(folder.policies.Label(id));
    return names;
  };
  const std::string& expected = scenario.settings.at("expect").text;
  const std::string outcome = response.allow && response.errors.empty() ? "allow" : "deny";
  const std::set<std::string> reasons = labels(response.reasons);
  const std::set<std::string> errors = labels(response.errors);
  std::string message;
  const auto differ = [&](std::string_view what, const std::string& wanted,
                          const std::string& came) {
    if (wanted == came) return;
    if (!message.empty()) message += "; ";
    message += std::string(what) + ": expected " + wanted + ", came " + came;
  };
  differ("outcome", expected, outcome);
  if (scenario.settings.contains("because")) {
    differ("because", Join(NamesIn(scenario, "because")), Join(reasons));
  }
  differ("errors", Join(NamesIn(scenario, "errors")), Join(errors));
  if (!message.empty()) {
    for (const std::string& detail : response.messages) message += "\n    " + detail;
  }
  return message;
}

}  // namespace

Result<Request> RequestOf(const Scenario& scenario, std::string_view file_name) {
  Request request;
  BOOST_OUTCOME_TRY(request.principal, UidOf(scenario, "principal", file_name));
  BOOST_OUTCOME_TRY(request.action, UidOf(scenario, "action", file_name));
  BOOST_OUTCOME_TRY(request.resource, UidOf(scenario, "resource", file_name));
  std::vector<Value::Field> fields;
  if (const auto found = scenario.settings.find("context"); found != scenario.settings.end()) {
    BOOST_OUTCOME_TRY(const Value value, ValueOf(found->second, file_name));
    if (value.kind() != Kind::kRecord) {
      return At(file_name, found->second.line, "`context` must be a record");
    }
    fields = value.fields();
  }
  for (const auto& [key, setting] : scenario.settings) {
    if (!key.starts_with(kContextPrefix)) continue;
    BOOST_OUTCOME_TRY(Value value, ValueOf(setting, file_name));
    fields.emplace_back(key.substr(kContextPrefix.size()), std::move(value));
  }
  request.context = Value::Record(std::move(fields));
  return request;
}

CaseResult RunScenario(const Scenario& scenario, std::string_view file_name, const Folder& folder) {
  CaseResult result;
  result.name = scenario.name;
  result.where = std::string(file_name) + ":" + std::to_string(scenario.line);
  const Result<std::string> mismatch = Mismatch(scenario, file_name, folder);
  result.message = mismatch ? mismatch.value() : mismatch.error().message;
  result.passed = mismatch && mismatch.value().empty();
  return result;
}

Result<std::vector<CaseResult>> RunScenarios(const fs::path& dir) {
  BOOST_OUTCOME_TRY(Folder folder, LoadFolder(dir));
  std::error_code error;
  std::vector<fs::path> tests;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir / "tests", error)) {
    if (entry.path().extension() == ".test") tests.push_back(entry.path());
    if (entry.path().extension() == ".json") {
      BOOST_OUTCOME_TRY(const std::string text, ReadTextFile(entry.path(), kMaxJsonText));
      BOOST_OUTCOME_TRY(const Entities more,
                        Entities::ParseJson(text, folder.schema.get(), entry.path().string()));
      BOOST_OUTCOME_TRY(folder.entities.Merge(more));
    }
  }
  BOOST_OUTCOME_TRY(folder.entities.Close());
  if (tests.empty()) {
    return Error{Code::kFile, (dir / "tests").string() + ": holds no tests (*.test)"};
  }
  std::sort(tests.begin(), tests.end());
  std::vector<CaseResult> results;
  for (const fs::path& path : tests) {
    BOOST_OUTCOME_TRY(const std::string text, ReadTextFile(path, kMaxTestText));
    BOOST_OUTCOME_TRY(const std::vector<Scenario> cases, ParseScenarios(text, path.string()));
    for (const Scenario& scenario : cases) {
      results.push_back(RunScenario(scenario, path.string(), folder));
    }
  }
  return results;
}

}  // namespace portcullis::policy::cedar
