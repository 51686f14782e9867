// The examination of a draft: everything that Compiled::Make asks, the way back, and the set's own
// tests. See CheckReport in compiled.h.
#include <map>

#include "policy/cedar/scenario.h"
#include "policy/cedar/validate.h"
#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {
namespace {

// Every officer has approved, and years have passed: a set that says no even then says no for ever.
bool CanBeReplaced(const Compiled& set) {
  ActivationFacts facts;
  facts.revision = 1;
  facts.author = "author-of-the-next";
  facts.officer = "second-officer";
  facts.approvals = {"second-officer", "third-officer", "fourth-officer"};
  facts.dry_run_hours = 1'000'000;
  if (PermitsActivation(set, facts)) return true;
  facts.officer = "fifth-officer";  // sets in which the one who applies has not approved
  return PermitsActivation(set, facts);
}

Result<cedar::Folder> FolderOf(const Content& content) {
  std::vector<cedar::SourceFile> sources;
  for (const TextFile& file : content.policies) sources.push_back({file.name, file.text});
  cedar::Folder folder;
  BOOST_OUTCOME_TRY(folder.policies, cedar::PolicySet::Parse(sources));
  BOOST_OUTCOME_TRY(cedar::Schema schema,
                    cedar::Schema::Parse(content.schema, "schema.cedarschema"));
  folder.schema = std::make_unique<const cedar::Schema>(std::move(schema));
  std::string entities = content.entities;
  const auto add = [&](const std::string& more, const std::string& what) -> Result<void> {
    if (more.empty()) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(entities, JoinEntities(entities, more, what));
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(add(content.facts, "configuration"));
  for (const TextFile& file : content.tests) {
    if (!file.name.ends_with(".json")) continue;
    BOOST_OUTCOME_TRY(add(file.text, "tests/" + file.name));
  }
  BOOST_OUTCOME_TRY(folder.entities,
                    cedar::Entities::ParseJson(entities, folder.schema.get(), "entities"));
  return folder;
}

// A draft is examined while the store is locked, so that its tests must come to an end.
constexpr size_t kMaxTestWork = 1u << 30;  // bytes of policies, for each test once
constexpr size_t kMaxFailures = 50;

Result<void> RunTests(const Content& content, CheckReport& report) {
  BOOST_OUTCOME_TRY(const cedar::Folder folder, FolderOf(content));
  size_t work = 0;
  size_t policy_bytes = 0;
  for (const TextFile& file : content.policies) policy_bytes += file.text.size();
  for (const TextFile& file : content.tests) {
    if (!file.name.ends_with(".test")) continue;
    const std::string name = "tests/" + file.name;
    BOOST_OUTCOME_TRY(const auto cases, cedar::ParseScenarios(file.text, name));
    work += cases.size() * policy_bytes;
    if (work > kMaxTestWork) {
      return Error{Code::kTooLarge,
                   name + ": too many tests for so many policies; write fewer, or test the parts"};
    }
    for (const cedar::Scenario& scenario : cases) {
      const cedar::CaseResult result = cedar::RunScenario(scenario, name, folder);
      ++report.tests;
      if (result.passed) continue;
      report.errors.push_back(result.where + ": test `" + result.name +
                              "` failed: " + result.message);
      if (report.errors.size() >= kMaxFailures) {
        return Error{Code::kTest, "so many tests failed that the rest was not run"};
      }
    }
  }
  return boost::outcome_v2::success();
}

}  // namespace

std::string CheckReport::Summary() const {
  if (!ok()) return errors.front();
  std::string out =
      std::to_string(policies) + " policies, " + std::to_string(tests) + " tests passed";
  if (!warnings.empty()) out += ", " + std::to_string(warnings.size()) + " warnings";
  return out;
}

CheckReport Check(const Content& content) {
  CheckReport report;
  auto compiled = Compiled::Make(content);
  if (!compiled) {
    report.errors.push_back(compiled.error().message);
    return report;
  }
  report.compiled = compiled.value();
  report.policies = report.compiled->policies.size();
  for (const cedar::Finding& finding :
       cedar::Validate(report.compiled->policies, report.compiled->schema).warnings) {
    report.warnings.push_back(finding.message);
  }
  if (!CanBeReplaced(*report.compiled)) {
    report.errors.push_back(
        "no policy permits Gw::Action::\"activatePolicy\": once in force, nobody could ever "
        "replace "
        "this set; keep a rule like `four-eyes` of policy/sets/default");
  }
  if (const auto run = RunTests(content, report); !run)
    report.errors.push_back(run.error().message);
  if (report.tests == 0) report.warnings.push_back("the set brings no tests (tests/*.test)");
  return report;
}

}  // namespace portcullis::policy::revise
