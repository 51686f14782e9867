#include "audit/report/collect.h"

#include <algorithm>
#include <cstring>

#include "audit/report/countries.h"
#include "audit/report/fields.h"

namespace portcullis::audit {
namespace {

namespace json = boost::json;
using fields::Document, fields::Number, fields::Object, fields::Text, fields::Texts;

const std::string kOthers = "(others)";
const std::string kUnstated = "(not stated)";

// Of whom the data is, by jurisdiction: what was found in the text, what the caller said, where the caller is at home.
std::vector<std::string> Homes(const json::object& facts) {
  if (const json::object* found = Object(facts, "found")) {
    auto homes = Texts(*found, "subject_jurisdictions");
    if (!homes.empty()) return homes;
  }
  if (const json::object* asked = Object(facts, "facts")) {
    auto homes = Texts(*asked, "subject");
    if (!homes.empty()) return homes;
    const std::string home = Text(*asked, "home");
    if (!home.empty()) return {home + " (home of the caller)"};
  }
  return {kUnstated};
}

}  // namespace

size_t Collector::TagHash::operator()(const Tag& tag) const {
  size_t value = 0;
  std::memcpy(&value, tag.data(), sizeof value);  // tags are keyed hashes already
  return value;
}

const PeriodFacts& Collector::facts() {
  facts_.revisions = revisions_.Of(facts_.period);
  return facts_;
}

void Collector::Take(const Leaf& leaf, const std::optional<std::vector<Part>>& parts, bool erased) {
  if (leaf.wall_us >= facts_.period.end_us) return;
  const std::vector<Part>* content = parts ? &*parts : nullptr;
  TakeRevision(leaf, content);
  if (leaf.wall_us < facts_.period.begin_us) return;
  TakeLeaf(leaf);
  if (leaf.parts > 0 && leaf.kind != Kind::kKey) ++(erased ? facts_.erased : parts ? facts_.opened : facts_.sealed);
  switch (leaf.kind) {
    case Kind::kReq: TakeRequest(leaf, content); break;
    case Kind::kDecision: TakeDecision(leaf, content); break;
    case Kind::kAdmin: TakeAdmin(leaf, content); break;
    case Kind::kConfig: TakeConfig(leaf, content); break;
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
    case Kind::kRecovery: TakeInterruption(leaf, content); break;
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

// What is in force follows from CONFIG records alone; where they are sealed a decision tells of one moment only.
void Collector::TakeRevision(const Leaf& leaf, const std::vector<Part>* parts) {
  const bool act = leaf.kind == Kind::kConfig || leaf.kind == Kind::kAdmin;
  if (leaf.policy_hash == Hash{} || (!act && leaf.kind != Kind::kDecision)) return;
  if (parts == nullptr) {
    if (act && leaf.parts > 0) ++facts_.sealed_policy_records;
    return;
  }
  if (!act && facts_.sealed_policy_records > 0) return;
  if (!act && revisions_.in_force() != 0) return;
  uint64_t unreadable = 0;  // counted where the record itself is
  revisions_.Take(leaf, Document(parts, act ? PartType::kMetadata : PartType::kDecision, unreadable));
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
  ++found->decisions;
  if (found->revision.empty()) found->revision = revision;
}

void Collector::TakeRequest(const Leaf& leaf, const std::vector<Part>* parts) {
  if (leaf.model_hash != Hash{}) {
    ++Row(facts_.models, leaf.model_hash, Hash{});
    if (facts_.models.contains(leaf.model_hash) && !facts_.model_names.contains(leaf.model_hash)) {
      const std::string name = Text(Document(parts, PartType::kMetadata, facts_.unreadable), "model");
      if (!name.empty()) facts_.model_names[leaf.model_hash] = name;
    }
  }
  if (subjects_.size() < kMaxSubjects) {
    subjects_.insert(leaf.subject);
    if (leaf.tenant != Tag{}) tenants_.insert(leaf.tenant);
  } else {
    facts_.subjects_capped = true;
  }
  facts_.subjects = subjects_.size();
  facts_.tenants = tenants_.size();
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
  if (classes.empty()) classes.push_back("(nothing found)");
  const bool refused = leaf.outcome != 1 && leaf.outcome != 3;
  const std::string site = refused ? std::string() : Text(facts, "site");
  const json::object* where = site.empty() ? nullptr : Object(facts, "place");
  const std::string place = where == nullptr ? std::string() : Text(*where, "processing");
  const std::string country =
      site.empty() ? std::string() : CountryOf(place, where == nullptr ? std::vector<std::string>() : Texts(*where, "in"));
  const std::string treatment = refused ? "refused" : Text(facts, "treatment");
  for (const std::string& home : Homes(facts)) {
    for (const std::string& data_class : classes) {
      ++Row(facts_.residency, {home, data_class, site, place, country, treatment},
            {kOthers, kOthers, kOthers, kOthers, kOthers, kOthers});
    }
  }
  if (const json::object* kinds = found != nullptr ? Object(*found, "kinds") : nullptr) {
    for (const auto& kind : *kinds) {
      Row(facts_.findings, std::string(kind.key()), kOthers) += Number(*kinds, kind.key());
    }
  }
}

void Collector::TakeAbuse(const Leaf& leaf, const std::vector<Part>* parts) {
  const json::object facts = Document(parts, PartType::kMetadata, facts_.unreadable);
  if (leaf.kind == Kind::kSiege) {
    const std::string words = facts.empty() ? "(sealed)" : Text(facts, "what");
    Keep(facts_.sieges, Siege{leaf.seq, leaf.wall_us, words}, facts_.unlisted_sieges, leaf.seq, "SIEGE");
    return;
  }
  auto& list = facts_.episodes;
  const bool joins = !list.empty() && facts_.unlisted_episodes.count == 0 && leaf.wall_us >= list.back().last_us &&
                     leaf.wall_us - list.back().last_us < kEpisodeGapUs;
  Episode fresh{leaf.seq, leaf.seq, leaf.wall_us, leaf.wall_us, 0, 0, {}, false};
  Episode& episode = joins ? list.back() : fresh;
  episode.last_seq = leaf.seq;
  episode.last_us = leaf.wall_us;
  if (facts.empty()) episode.sealed = true;
  const auto add = [&](std::string_view name, std::map<std::string, uint64_t>& table, uint64_t& total) {
    const json::object* counts = Object(facts, name);
    if (counts == nullptr) return;
    for (const auto& entry : *counts) {
      const uint64_t number = Number(*counts, entry.key());
      Row(table, std::string(entry.key()), kOthers) += number;
      Row(episode.reasons, std::string(entry.key()), kOthers) += number;
      total += number;
    }
  };
  add("refused_strangers", facts_.refused_strangers, episode.strangers);
  add("refused_identified", facts_.refused_identified, episode.identified);
  if (!joins) Keep(list, std::move(fresh), facts_.unlisted_episodes, leaf.seq, "ABUSE");
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

}  // namespace portcullis::audit
