#include "policy/revise/replay.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "policy/revise/effect.h"
#include "policy/revise/facts_json.h"

namespace portcullis::policy::revise {
namespace {

namespace json = boost::json;

constexpr size_t kMaxLine = 1u << 20;
constexpr size_t kMaxProblems = 5;

Result<json::value> ParseLine(std::string_view text) {
  if (text.size() > kMaxLine) return Error{Code::kTooLarge, "the line is longer than 1 MiB"};
  boost::system::error_code error;
  json::parse_options limits;
  limits.max_depth = 32;
  json::value value = json::parse(text, error, {}, limits);
  if (error) return Error{Code::kJson, error.message()};
  return value;
}

std::string_view TextOf(const json::object& object, std::string_view name) {
  const json::value* member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string_view(member->get_string())
                                                  : std::string_view();
}

// The object with the facts: the line itself, its `decision`, or the text of its part `decision`.
Result<json::object> FindDecision(const json::value& value, int depth = 0) {
  const json::object* object = value.if_object();
  if (object == nullptr || depth > 3) return json::object();
  if (object->contains("facts")) return *object;
  if (object->contains("version") && object->contains("principal")) {
    return json::object{{"facts", *object}};
  }
  for (const char* name : {"decision", "parts", "content"}) {
    const json::value* member = object->if_contains(name);
    if (member == nullptr) continue;
    if (member->is_object()) return FindDecision(*member, depth + 1);
    if (member->is_string() && std::string_view(name) == "decision") {
      BOOST_OUTCOME_TRY(const json::value inner, ParseLine(member->get_string()));
      return FindDecision(inner, depth + 1);
    }
  }
  return json::object();
}

std::vector<std::string> Strings(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  const json::value* member = object.if_contains(name);
  if (member == nullptr || !member->is_array()) return out;
  for (const json::value& item : member->get_array()) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

std::string Join(const std::vector<std::string>& words, std::string_view empty) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? std::string(empty) : out;
}

std::string TransitionOf(const Outcome& before, const Outcome& after,
                         const std::vector<std::string>& why) {
  std::string out(InWords(before.treatment));
  if (before.allowed()) out += " at " + before.site;
  out += " → " + std::string(InWords(after.treatment));
  if (after.allowed()) out += " at " + after.site;
  if (!why.empty())
    out += ", by " + Join(why, "");
  else
    out += ", as no rule permits more any longer";
  return out;
}

std::string Who(const DecisionFacts& facts) {
  std::string out = facts.principal + ", " + Join(facts.detected, "nothing found");
  if (!facts.subject.empty()) out += " of people in " + Join(facts.subject, "");
  if (facts.purpose != "other") out += ", for " + facts.purpose;
  return out;
}

}  // namespace

void Replay::AddLine(std::string_view line) {
  ++line_;
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const Result<bool> taken = Take(line);
  if (taken && taken.value()) return;
  if (taken) {
    ++report_.skipped;
    return;
  }
  ++report_.unusable;
  if (report_.problems.size() < kMaxProblems) {
    report_.problems.push_back("line " + std::to_string(line_) + ": " + taken.error().message);
  }
}

Result<bool> Replay::Take(std::string_view line) {
  BOOST_OUTCOME_TRY(const json::value value, ParseLine(line));
  BOOST_OUTCOME_TRY(const json::object decision, FindDecision(value));
  const json::value* facts_json = decision.if_contains("facts");
  if (facts_json == nullptr) return false;
  BOOST_OUTCOME_TRY(const DecisionFacts facts, FactsFromJson(*facts_json));
  Outcome before;
  if (decision.contains("treatment")) {
    const auto treatment = TreatmentFromString(TextOf(decision, "treatment"));
    if (!treatment) return Error{Code::kJson, "`treatment` is none of the known ones"};
    before.treatment = *treatment;
    before.site = TextOf(decision, "site");
    before.policies = Strings(decision, "policies");
    before.errors = Strings(decision, "errors");
  } else if (baseline_) {
    before = baseline_->Decide(facts);
  } else {
    return Error{Code::kJson,
                 "the line has facts but no outcome, and there is no set to compare with"};
  }
  ++report_.replayed;
  const Outcome after = draft_->Decide(facts);
  if (before.treatment == after.treatment && before.site == after.site) return true;
  ++report_.changed;
  const std::string effect = TransitionOf(before, after, WhyChanged(*draft_, facts, before, after));
  ++report_.transitions[effect];
  if (report_.changes.size() < kMaxListed) {
    std::string request;
    if (const json::object* record = value.if_object()) request = TextOf(*record, "request_id");
    report_.changes.push_back(
        {line_, std::move(request), Who(facts) + ": " + effect, before, after});
  }
  return true;
}

std::string ToText(const ReplayReport& report) {
  std::string out = std::to_string(report.changed) + " of " + std::to_string(report.replayed) +
                    " recorded decisions would change\n";
  for (const auto& [words, count] : report.transitions) {
    out += "  " + std::to_string(count) + " × " + words + "\n";
  }
  for (const ReplayChange& change : report.changes) {
    out += "line " + std::to_string(change.line) +
           (change.request.empty() ? "" : ", request " + change.request) + ": " + change.words +
           "\n";
  }
  if (report.changed > report.changes.size()) {
    out += "… and " + std::to_string(report.changed - report.changes.size()) + " more\n";
  }
  if (report.skipped > 0) out += std::to_string(report.skipped) + " lines hold no decision\n";
  if (report.unusable > 0) {
    out += std::to_string(report.unusable) + " lines could not be used\n";
    for (const std::string& problem : report.problems) out += "  " + problem + "\n";
  }
  return out;
}

json::object ToJson(const ReplayReport& report) {
  json::object transitions;
  for (const auto& [words, count] : report.transitions) transitions[words] = count;
  json::array changes;
  for (const ReplayChange& change : report.changes) {
    changes.push_back(
        {{"line", change.line},
         {"request", change.request},
         {"words", change.words},
         {"before", ToString(change.before.treatment)},
         {"after", ToString(change.after.treatment)},
         {"site_before", change.before.site},
         {"site_after", change.after.site},
         {"policies", json::array(change.after.policies.begin(), change.after.policies.end())},
         {"errors", json::array(change.after.errors.begin(), change.after.errors.end())}});
  }
  return {{"schema", "portcullis.policy.whatif/1"},
          {"replayed", report.replayed},
          {"changed", report.changed},
          {"skipped", report.skipped},
          {"unusable", report.unusable},
          {"transitions", std::move(transitions)},
          {"changes", std::move(changes)},
          {"problems", json::array(report.problems.begin(), report.problems.end())}};
}

}  // namespace portcullis::policy::revise
