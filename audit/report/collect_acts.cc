#include <algorithm>
#include <set>

#include "audit/note.h"
#include "audit/override.h"
#include "audit/report/collect.h"
#include "audit/report/document.h"
#include "audit/report/fields.h"

namespace portcullis::audit {
namespace {

namespace json = boost::json;
using fields::Document, fields::Number, fields::Object, fields::Text;

const std::string kSealed = "(sealed)";

bool IsReading(const std::string& operation) {
  static const std::set<std::string> kReadings = {"status", "metrics", "key_list", "policy_status", "policy_revision"};
  return kReadings.contains(operation);
}

std::string Plural(uint64_t number, const std::string& word) {
  return std::to_string(number) + " " + word + (number == 1 ? "" : "s");
}

// Which form of an act, and to whom.
std::string AccessWords(const Leaf& leaf, const json::object& facts) {
  if (leaf.kind == Kind::kErase) {
    if (const auto part = ShreddedPart(leaf.outcome)) return "shredded: " + std::string(PartName(*part));
    if (const auto year = DestroyedYear(leaf.outcome)) return "tag key of " + std::to_string(*year) + " destroyed";
    switch (static_cast<EraseOutcome>(leaf.outcome)) {
      case EraseOutcome::kBegun: return "erased";
      case EraseOutcome::kDone: return "ciphertext gone";
      case EraseOutcome::kRefusedByHold: return "refused by a hold";
      case EraseOutcome::kExpired:
        return "expired: class of " + Plural(leaf.retention, "day") + ", week from " +
               UtcText(uint64_t{leaf.period} * kPeriodDays * kDayUs).substr(0, 10);
    }
    return {};
  }
  if (leaf.kind == Kind::kHold) {
    const std::string which = facts.contains("hold") ? " hold " + std::to_string(Number(facts, "hold")) : "";
    switch (static_cast<HoldOutcome>(leaf.outcome)) {
      case HoldOutcome::kPlaced: return "placed" + which;
      case HoldOutcome::kLifted: return "lifted" + which;
    }
    return {};
  }
  if (facts.empty()) return kSealed;
  if (leaf.kind == Kind::kRelease) {
    return "to " + Text(facts, "auditor") + " (key " + Text(facts, "auditor_key") + "), " +
           Plural(Number(facts, "keys"), "key");
  }
  std::string what = Text(facts, "what");
  if (what.empty()) what = "show";
  if (!Text(facts, "part").empty()) what += ": " + Text(facts, "part");
  const std::string from = Text(facts, "from"), to = Text(facts, "to");
  if (!from.empty() || !to.empty()) {
    what += ", " + (from.empty() ? "from the beginning" : from) + " to " + (to.empty() ? "now" : to);
  }
  return what;
}

// The note of an override: the statement, an empty line, the officers' signatures ("— NAME BASE64").
std::string OverrideWords(const std::vector<Part>* parts) {
  std::string words = "a refused start was overridden by two officers; the log before it was set aside";
  if (parts == nullptr) return words;
  const auto part = std::ranges::find(*parts, PartType::kMetadata, &Part::type);
  if (part == parts->end()) return words;
  const auto note = ParseNote(part->bytes);
  if (!note) return words;
  const auto statement = ParseOverride(note.value().text);
  if (!statement) return words;
  std::string officers;
  for (const auto& signature : note.value().signatures) {
    officers += (officers.empty() ? "" : " and ") + std::string(signature.name);
  }
  return "a refused start was overridden by " + officers + ": " + statement.value().reason + "; the log " +
         statement.value().origin + " with " + Plural(statement.value().size, "record") + " was set aside";
}

}  // namespace

ActCounts& Collector::Counted(const std::string& who, const std::string& operation) {
  return Row(facts_.counted_acts, {who, operation}, {"(others)", "(others)"});
}

void Collector::TakeConfig(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  if (facts.empty()) {
    ++Counted(kSealed, "configuration").done;
    return;
  }
  Act act{leaf.seq, leaf.wall_us, Text(facts, "subject"), Text(facts, "operation"), Text(facts, "argument"), false,
          Text(facts, "detail")};
  if (facts.contains("uid")) act.who = "uid " + std::to_string(Number(facts, "uid"));
  if (facts.contains("rotated")) {
    act.operation = "rotate";
    act.argument = "generation " + std::to_string(Number(facts, "generation"));
  } else if (act.operation.empty()) {
    act.who = "gateway";
    act.operation = Text(facts, "what");
    act.argument = Text(facts, "policy_revision");
    if (facts.contains("revision")) {
      act.argument = "revision " + std::to_string(Number(facts, "revision")) + " " + act.argument;
    }
  } else if (act.operation == "policy_rollback" && revisions_.in_force() != 0) {
    act.why += (act.why.empty() ? "" : "; ") + ("revision " + std::to_string(revisions_.in_force())) +
               " is in force again";
  }
  Keep(facts_.acts, std::move(act), facts_.unlisted_acts, leaf.seq, Text(facts, "operation"));
}

// Of an act that policy allowed and that failed all the same: the row of the act says so.
void Collector::TakeRefusal(const Leaf& leaf, const json::object& facts) {
  const std::string operation = Text(facts, "operation"), who = Text(facts, "subject");
  const uint64_t of = Number(facts, "act");
  const auto act = std::find_if(facts_.acts.rbegin(), facts_.acts.rend(), [of](const Act& one) { return one.seq <= of; });
  if (act != facts_.acts.rend() && act->seq == of) {
    act->refused = true;
    act->why = Text(facts, "why");
    return;
  }
  ActCounts& counts = Counted(who, operation);
  if (counts.done > 0) --counts.done;
  if (IsReading(operation)) {
    ++counts.refused;
    return;
  }
  Keep(facts_.acts, Act{leaf.seq, leaf.wall_us, who, operation, Text(facts, "argument"), true, Text(facts, "why")},
       facts_.unlisted_acts, leaf.seq, operation);
}

void Collector::TakeAdmin(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  const bool refused = leaf.outcome == 2;
  const std::string who = facts.empty() ? kSealed : Text(facts, "subject");
  const std::string operation = facts.empty() ? kSealed : Text(facts, "operation");
  if (facts.contains("act")) return TakeRefusal(leaf, facts);
  // A request about a revision is told by the event that it leads to, which has no request of its own.
  const bool request = operation.starts_with("policy_") && !facts.contains("event");
  if (facts.empty() || IsReading(operation) || (request && !refused)) {
    ActCounts& counts = Counted(who, operation);
    ++(refused ? counts.refused : counts.done);
    return;
  }
  Act act{leaf.seq, leaf.wall_us, who, operation, Text(facts, "argument"), refused, Text(facts, "detail")};
  if (refused) act.why = "by policy";
  if (const json::object* body = Object(facts, "body"); body != nullptr && act.argument.empty()) {
    act.argument = Text(*body, "principal");
  }
  Keep(facts_.acts, std::move(act), facts_.unlisted_acts, leaf.seq, operation);
}

void Collector::TakeAccess(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  Access access{leaf.seq, leaf.wall_us, leaf.kind, Text(facts, "who"), Text(facts, "reason"), leaf.parent_seq,
                AccessWords(leaf, facts)};
  if (access.who.empty() && facts.contains("uid")) {
    access.who = "uid " + std::to_string(Number(facts, "uid"));
  }
  if (access.target_seq == 0) access.target_seq = Number(facts, "seq");
  if (leaf.kind == Kind::kAuditRead) {
    const std::string who = access.who;
    Keep(facts_.accesses, std::move(access), facts_.unlisted_reads, leaf.seq, who.empty() ? kSealed : who);
  } else {
    facts_.accesses.push_back(std::move(access));
  }
}

void Collector::TakeInterruption(const Leaf& leaf, const std::vector<Part>* parts) {
  std::string words;
  switch (leaf.kind) {
    case Kind::kBoot: words = "the log was started"; break;
    case Kind::kStop: words = "the log was stopped in good order"; break;
    case Kind::kClock: words = "the clock was set, or its synchronisation changed"; break;
    default:
      if (leaf.outcome == 2) {
        ++facts_.overrides;
        words = OverrideWords(parts);
      } else {
        words = leaf.outcome == 1
                    ? "unclean end; an unfinished write that nobody was told of was cut off"
                    : "unclean end; nothing was cut off";
      }
  }
  Interruption gap{leaf.seq, leaf.wall_us, leaf.kind, std::move(words)};
  if (leaf.kind == Kind::kRecovery) {
    facts_.interruptions.push_back(std::move(gap));
  } else {
    Keep(facts_.interruptions, std::move(gap), facts_.unlisted_interruptions, leaf.seq, std::string(KindName(leaf.kind)));
  }
}

}  // namespace portcullis::audit
