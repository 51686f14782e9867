#include "audit/report/collect.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstring>

namespace portcullis::audit {
namespace {

namespace json = boost::json;

const std::string kOthers = "(others)";
const std::string kUnstated = "(not stated)";

// The JSON object in the part of that type; an empty one where it is missing or no object.
json::object Document(const std::vector<Part>* parts, PartType type, uint64_t& unreadable) {
  if (parts == nullptr) return {};
  const auto part = std::ranges::find(*parts, type, &Part::type);
  if (part == parts->end()) return {};
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 32;
  json::value value = json::parse(part->bytes, error, {}, options);
  if (error || !value.is_object()) {
    ++unreadable;
    return {};
  }
  return std::move(value.get_object());
}

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

uint64_t Number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  return error ? 0 : number;
}

std::vector<std::string> Texts(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) return out;
  for (const json::value& item : value->get_array()) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

const json::object* Object(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}

std::string EraseWords(uint16_t outcome) {
  if (const auto part = ShreddedPart(outcome)) return "shredded: " + std::string(PartName(*part));
  switch (static_cast<EraseOutcome>(outcome)) {
    case EraseOutcome::kBegun: return "erased";
    case EraseOutcome::kDone: return "ciphertext gone";
    case EraseOutcome::kRefusedByHold: return "refused by a hold";
    case EraseOutcome::kExpired: return "expired";
  }
  return {};
}

}  // namespace

size_t Collector::TagHash::operator()(const Tag& tag) const {
  size_t value = 0;
  std::memcpy(&value, tag.data(), sizeof value);  // tags are keyed hashes already
  return value;
}

template <class Entry>
void Collector::Keep(std::vector<Entry>& list, Entry entry) {
  if (list.size() < kMaxEntries) {
    list.push_back(std::move(entry));
  } else {
    ++facts_.left_out;
  }
}

// The row of a key; over the bound the common row of the rest.
template <class Table>
auto& Collector::Row(Table& table, const typename Table::key_type& key,
                     const typename Table::key_type& rest) {
  const auto found = table.find(key);
  if (found != table.end()) return found->second;
  if (table.size() < kMaxEntries) return table[key];
  ++facts_.left_out;
  return table[rest];
}

void Collector::Take(const Leaf& leaf, const std::optional<std::vector<Part>>& parts) {
  if (leaf.wall_us < facts_.period.begin_us || leaf.wall_us >= facts_.period.end_us) return;
  TakeLeaf(leaf);
  if (leaf.parts > 0 && leaf.kind != Kind::kKey) ++(parts ? facts_.opened : facts_.sealed);
  const std::vector<Part>* content = parts ? &*parts : nullptr;
  switch (leaf.kind) {
    case Kind::kReq:
      if (leaf.model_hash != Hash{}) ++Row(facts_.models, leaf.model_hash, Hash{});
      if (subjects_.size() < kMaxSubjects) {
        subjects_.insert(leaf.subject);
        if (leaf.tenant != Tag{}) tenants_.insert(leaf.tenant);
      } else {
        facts_.subjects_capped = true;
      }
      facts_.subjects = subjects_.size();
      facts_.tenants = tenants_.size();
      break;
    case Kind::kDecision: TakeDecision(leaf, content); break;
    case Kind::kAdmin:
    case Kind::kConfig: TakeAct(leaf, content); break;
    case Kind::kRelease:
    case Kind::kAuditRead:
    case Kind::kErase:
    case Kind::kHold: TakeAccess(leaf, content); break;
    case Kind::kAbuse:
    case Kind::kSiege: TakeAbuse(leaf, content); break;
    case Kind::kResp:
    case Kind::kAbort: TakeEnd(leaf, content); break;
    case Kind::kBoot:
    case Kind::kStop:
    case Kind::kClock:
    case Kind::kRecovery: TakeInterruption(leaf); break;
    case Kind::kKey:
    case Kind::kHeartbeat: break;
    default: break;
  }
}

void Collector::TakeLeaf(const Leaf& leaf) {
  if (facts_.records++ == 0) {
    facts_.first_seq = leaf.seq;
    facts_.first_us = leaf.wall_us;
  }
  facts_.last_seq = leaf.seq;
  facts_.last_us = leaf.wall_us;
  ++facts_.kinds[static_cast<size_t>(leaf.kind) % facts_.kinds.size()];
  if (leaf.clock == ClockState::kUnsynchronised) ++facts_.unsynchronised;
  if (leaf.clock == ClockState::kUnknown) ++facts_.clock_unknown;
  if (began_ && leaf.boot == boot_ && leaf.mono_us > last_us_) {
    facts_.longest_silence_us = std::max(facts_.longest_silence_us, leaf.mono_us - last_us_);
  }
  began_ = true;
  boot_ = leaf.boot;
  last_us_ = leaf.mono_us;
}

void Collector::TakePolicy(const Leaf& leaf, const std::string& revision) {
  auto& list = facts_.policies_in_force;
  auto found = std::ranges::find(list, leaf.policy_hash, &PolicyInForce::hash);
  if (found == list.end()) {
    if (list.size() >= kMaxEntries) {
      ++facts_.left_out;
      return;
    }
    list.push_back({leaf.policy_hash, {}, leaf.wall_us, leaf.wall_us, 0});
    found = list.end() - 1;
  }
  found->last_us = std::max(found->last_us, leaf.wall_us);
  if (leaf.kind == Kind::kDecision) ++found->decisions;
  if (found->revision.empty()) found->revision = revision;
}

void Collector::TakeDecision(const Leaf& leaf, const std::vector<Part>* parts) {
  const auto count = [&leaf](DecisionCounts& counts) {
    ++(leaf.outcome == 1 ? counts.allowed : leaf.outcome == 3 ? counts.treated : counts.refused);
  };
  count(facts_.decisions);
  const json::object facts = Document(parts, PartType::kDecision, facts_.unreadable);
  TakePolicy(leaf, Text(facts, "revision"));
  if (facts.empty()) return;
  if (!Texts(facts, "errors").empty()) ++facts_.failed_policies;
  auto policies = Texts(facts, "policies");
  if (policies.empty()) policies.push_back("(no policy permits)");
  for (const std::string& policy : policies) count(Row(facts_.by_policy, policy, kOthers));

  const json::object* found = Object(facts, "found");
  auto classes = found != nullptr ? Texts(*found, "classes") : std::vector<std::string>();
  auto homes = found != nullptr ? Texts(*found, "subject_jurisdictions") : std::vector<std::string>();
  if (classes.empty()) classes.push_back("(nothing found)");
  if (homes.empty()) homes.push_back(kUnstated);
  const bool refused = leaf.outcome != 1 && leaf.outcome != 3;
  const std::string site = refused ? std::string() : Text(facts, "site");
  const std::string treatment = refused ? "refused" : Text(facts, "treatment");
  for (const std::string& home : homes) {
    for (const std::string& data_class : classes) {
      ++Row(facts_.residency, {home, data_class, site, treatment},
            {kOthers, kOthers, kOthers, kOthers});
    }
  }
  if (const json::object* kinds = found != nullptr ? Object(*found, "kinds") : nullptr) {
    for (const auto& kind : *kinds) {
      Row(facts_.findings, std::string(kind.key()), kOthers) += Number(*kinds, kind.key());
    }
  }
}

void Collector::TakeAct(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  Act act{leaf.seq, leaf.wall_us, {}, {}, {}, leaf.kind == Kind::kAdmin && leaf.outcome == 2};
  if (leaf.kind == Kind::kConfig) {
    act.who = Text(facts, "who");
    act.operation = "in force: " + (facts.empty() ? "(sealed)" : Text(facts, "what"));
    act.argument = Text(facts, "policy_revision");
    TakePolicy(leaf, act.argument);
  } else {
    act.who = Text(facts, "subject");
    act.operation = facts.empty() ? "(sealed)" : Text(facts, "operation");
    act.argument = Text(facts, "argument");
  }
  Keep(facts_.acts, std::move(act));
}

void Collector::TakeAccess(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  Access access{leaf.seq, leaf.wall_us, leaf.kind, Text(facts, "who"), Text(facts, "reason"), 0, {}};
  if (access.who.empty() && facts.contains("uid")) {
    access.who = "uid " + std::to_string(Number(facts, "uid"));
  }
  access.target_seq = leaf.parent_seq;
  if (leaf.kind == Kind::kErase) access.what = EraseWords(leaf.outcome);
  Keep(facts_.accesses, std::move(access));
}

void Collector::TakeAbuse(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  if (leaf.kind == Kind::kSiege) {
    const std::string words = facts.empty() ? "(sealed)" : Text(facts, "what");
    Keep(facts_.sieges, Siege{leaf.seq, leaf.wall_us, words});
    return;
  }
  const auto add = [&](std::string_view name, std::map<std::string, uint64_t>& table) {
    const json::object* counts = Object(facts, name);
    if (counts == nullptr) return;
    for (const auto& entry : *counts) {
      Row(table, std::string(entry.key()), kOthers) += Number(*counts, entry.key());
    }
  };
  add("refused_strangers", facts_.refused_strangers);
  add("refused_identified", facts_.refused_identified);
}

void Collector::TakeEnd(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  facts_.prompt_tokens += Number(facts, "prompt_tokens");
  facts_.completion_tokens += Number(facts, "completion_tokens");
  if (leaf.kind == Kind::kResp) {
    ++facts_.answered;
    return;
  }
  ++facts_.aborted;
  std::string name = Text(facts, "name");
  if (name.empty()) name = facts.empty() && parts == nullptr ? "(sealed)" : "(closed by the log)";
  ++Row(facts_.aborts, name, kOthers);
}

void Collector::TakeInterruption(const Leaf& leaf) {
  std::string words;
  switch (leaf.kind) {
    case Kind::kBoot: words = "the log was started"; break;
    case Kind::kStop: words = "the log was stopped in good order"; break;
    case Kind::kClock: words = "the clock was set, or its synchronisation changed"; break;
    default:
      if (leaf.outcome == 2) {
        ++facts_.overrides;
        words = "a refused start was overridden by two officers; the log before it was set aside";
      } else {
        words = leaf.outcome == 1
                    ? "unclean end; an unfinished write that nobody was told of was cut off"
                    : "unclean end; nothing was cut off";
      }
  }
  Keep(facts_.interruptions, Interruption{leaf.seq, leaf.wall_us, leaf.kind, std::move(words)});
}

}  // namespace portcullis::audit
