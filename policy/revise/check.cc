// The examination of a draft: everything that Compiled::Make asks, the way back, and the set's own
// tests. See CheckReport in compiled.h.
#include <algorithm>
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

size_t BytesOf(const cedar::Value& value) {
  size_t bytes = 8;
  switch (value.kind()) {
    case cedar::Kind::kString:
      return bytes + value.string().size();
    case cedar::Kind::kEntity:
      return bytes + value.entity().type.size() + value.entity().id.size();
    case cedar::Kind::kSet:
      for (const cedar::Value& element : value.elements()) bytes += BytesOf(element);
      return bytes;
    case cedar::Kind::kRecord:
      for (const auto& [name, field] : value.fields()) bytes += name.size() + BytesOf(field);
      return bytes;
    default:
      return bytes;
  }
}

size_t LargestOf(const cedar::Entities& entities) {
  size_t largest = 0;
  entities.ForEach([&](const cedar::Entities::Stored& stored) {
    largest = std::max(largest, BytesOf(stored.attrs) + BytesOf(stored.tags));
  });
  return largest;
}

// A draft is examined while the store is locked, so that this must come to an end.
class Effort {
 public:
  explicit Effort(const Content& content) {
    for (const TextFile& file : content.policies) policy_bytes_ += file.text.size();
  }

  // Questions with so many bytes of settings, asked of entities of which none is larger.
  bool Fits(size_t questions, size_t settings, size_t largest) {
    policies_ += questions * policy_bytes_ + kParsing * settings;
    values_ += policy_bytes_ * (settings + questions * largest);
    return policies_ <= kMaxPolicies && values_ <= kMaxValues;
  }

 private:
  static constexpr size_t kMaxPolicies = 1u << 30;  // bytes of policies, for each question once
  // Each rule may look at all of a value: bytes of policies times bytes of values.
  static constexpr size_t kMaxValues = size_t{1} << 36;
  static constexpr size_t kParsing = 16;  // reading a byte takes as long as asking so many

  size_t policy_bytes_ = 0;
  size_t policies_ = 0;
  size_t values_ = 0;
};

constexpr size_t kMaxFailures = 50;

Result<void> RunTests(const Content& content, Effort& effort, CheckReport& report) {
  BOOST_OUTCOME_TRY(const cedar::Folder folder, FolderOf(content));
  const size_t largest = LargestOf(folder.entities);
  for (const TextFile& file : content.tests) {
    if (!file.name.ends_with(".test")) continue;
    const std::string name = "tests/" + file.name;
    BOOST_OUTCOME_TRY(const auto cases, cedar::ParseScenarios(file.text, name));
    size_t settings = 0;
    for (const cedar::Scenario& scenario : cases) {
      for (const auto& [key, setting] : scenario.settings) settings += setting.text.size();
    }
    if (!effort.Fits(cases.size(), settings, largest)) {
      return Error{Code::kTooLarge, name + ": too many tests for so many policies, or too large "
                                           "values; write fewer, or test the parts"};
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
  Effort effort(content);
  if (!effort.Fits(2, 0, LargestOf(report.compiled->entities))) {
    report.errors.push_back("the attributes of an entity are too large for so many policies");
    return report;
  }
  if (!CanBeReplaced(*report.compiled)) {
    report.errors.push_back(
        "no policy permits Gw::Action::\"activatePolicy\": once in force, nobody could ever "
        "replace "
        "this set; keep a rule like `four-eyes` of policy/sets/default");
  }
  if (const auto run = RunTests(content, effort, report); !run)
    report.errors.push_back(run.error().message);
  if (report.tests == 0) report.warnings.push_back("the set brings no tests (tests/*.test)");
  return report;
}

}  // namespace portcullis::policy::revise
