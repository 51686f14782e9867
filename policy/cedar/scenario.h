// Tests of a policy set that an officer can write: text files of named cases (policy/FORMAT.md),
// found as DIR/tests/*.test; DIR/tests/*.json adds entities. What `portcullis policy test` runs.
// The outcome checked is the appliance's: a policy that errors means deny.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/cedar/authorize.h"
#include "policy/cedar/folder.h"

namespace portcullis::policy::cedar {

struct CaseResult {
  std::string name;
  std::string where;  // file:line
  bool passed = false;
  std::string message;  // what was expected and what came, when it failed
};

// kTest for a malformed test file, kFile when the folder holds no tests.
Result<std::vector<CaseResult>> RunScenarios(const std::filesystem::path& dir);

// One file of cases, as written.
struct Scenario {
  struct Setting {
    std::string text;  // a Cedar expression
    size_t line = 0;
    size_t column = 0;
  };
  std::string name;
  size_t line = 0;
  std::map<std::string, Setting> settings;
};
Result<std::vector<Scenario>> ParseScenarios(std::string_view text, std::string_view file_name);
// What a case asks; kTest where a setting is missing or is no value of its kind.
Result<Request> RequestOf(const Scenario& scenario, std::string_view file_name);
CaseResult RunScenario(const Scenario& scenario, std::string_view file_name, const Folder& folder);

}  // namespace portcullis::policy::cedar
