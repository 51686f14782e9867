// Recorded decisions, asked again of a draft: which calls of the past would have gone another way?
// Reads lines of JSON: what `portcullis audit export` or `audit show --json` gives (DECISION
// records with their content opened), or bare decision facts (facts_json.h). Lines without facts
// are counted and skipped, malformed ones are counted and the first few named; nothing stops a
// replay. One replay is used by one thread.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {

struct ReplayChange {
  size_t line = 0;
  std::string request;  // the decision's id where the record names it
  std::string words;  // "alice, Contact of people in DE: allowed at builtin → refused, by closed"
  Outcome before, after;
};

struct ReplayReport {
  size_t replayed = 0;
  size_t skipped = 0;   // lines that hold no decision
  size_t unusable = 0;  // lines that are malformed
  size_t changed = 0;
  std::map<std::string, size_t> transitions;  // "allowed → refused, by closed" → calls
  std::vector<ReplayChange> changes;          // the first kMaxListed
  std::vector<std::string> problems;          // the first few unusable lines
};

class Replay {
 public:
  static constexpr size_t kMaxListed = 1000;

  // `baseline` answers for bare facts, whose outcome was not recorded; it may be null.
  Replay(std::shared_ptr<const Compiled> draft, std::shared_ptr<const Compiled> baseline)
      : draft_(std::move(draft)), baseline_(std::move(baseline)) {}

  void AddLine(std::string_view line);
  const ReplayReport& report() const { return report_; }

 private:
  Result<bool> Take(std::string_view line);  // false: no decision in it

  std::shared_ptr<const Compiled> draft_;
  std::shared_ptr<const Compiled> baseline_;
  ReplayReport report_;
  size_t line_ = 0;
};

std::string ToText(const ReplayReport& report);
boost::json::object ToJson(const ReplayReport& report);

}  // namespace portcullis::policy::revise
