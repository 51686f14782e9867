#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "audit/note.h"
#include "audit/report/clauses.h"
#include "audit/report/document.h"

namespace portcullis::audit {
namespace {

namespace json = boost::json;

json::object Counts(const DecisionCounts& counts) {
  return {{"allowed", counts.allowed}, {"treated", counts.treated}, {"refused", counts.refused}};
}

json::object Table(const std::map<std::string, uint64_t>& table) {
  json::object out;
  for (const auto& [name, count] : table) out[name] = count;
  return out;
}

json::array Policies(const PeriodFacts& facts) {
  json::array out;
  for (const PolicyInForce& policy : facts.policies_in_force) {
    out.push_back(json::object{{"hash", Hex(policy.hash)},
                               {"revision", policy.revision},
                               {"first_us", policy.first_us},
                               {"last_us", policy.last_us},
                               {"decisions", policy.decisions}});
  }
  return out;
}

json::array Acts(const PeriodFacts& facts) {
  json::array out;
  for (const Act& act : facts.acts) {
    out.push_back(json::object{{"seq", act.seq}, {"at_us", act.at_us}, {"who", act.who},
                               {"operation", act.operation}, {"argument", act.argument},
                               {"refused", act.refused}, {"why", act.why}});
  }
  return out;
}

json::array Revisions(const PeriodFacts& facts) {
  json::array out;
  for (const PolicyRevision& revision : facts.revisions) {
    json::array approvals, spans;
    for (const auto& one : revision.approvals) approvals.push_back(json::object{{"who", one.who}, {"at_us", one.at_us}});
    for (const auto& span : revision.spans) {
      json::object row{{"from_us", span.from_us}, {"began", span.began}, {"ended", span.ended}};
      if (span.to_us != 0) row["to_us"] = span.to_us;
      spans.push_back(std::move(row));
    }
    out.push_back(json::object{{"number", revision.number},
                               {"hash", Hex(revision.hash)},
                               {"proposed_by", revision.proposed_by},
                               {"proposed_us", revision.proposed_us},
                               {"approvals", std::move(approvals)},
                               {"in_force", std::move(spans)},
                               {"withdrawn", revision.withdrawn}});
  }
  return out;
}

json::array CountedActs(const PeriodFacts& facts) {
  json::array out;
  for (const auto& [key, counts] : facts.counted_acts) {
    out.push_back(json::object{{"who", key.first}, {"operation", key.second},
                               {"done", counts.done}, {"refused", counts.refused}});
  }
  return out;
}

json::array Episodes(const PeriodFacts& facts) {
  json::array out;
  for (const Episode& episode : facts.episodes) {
    out.push_back(json::object{{"first_seq", episode.first_seq}, {"last_seq", episode.last_seq},
                               {"first_us", episode.first_us},   {"last_us", episode.last_us},
                               {"strangers", episode.strangers}, {"identified", episode.identified},
                               {"reasons", Table(episode.reasons)}, {"sealed", episode.sealed}});
  }
  return out;
}

// What bounded lists have no room for, by list.
json::object NotListed(const PeriodFacts& facts) {
  json::object out;
  const auto add = [&out](const char* name, const Unlisted& rest) {
    if (rest.count == 0) return;
    out[name] = {{"count", rest.count}, {"from_seq", rest.from_seq}, {"by", Table(rest.by)}};
  };
  add("acts", facts.unlisted_acts);
  add("accesses", facts.unlisted_reads);
  add("episodes", facts.unlisted_episodes);
  add("sieges", facts.unlisted_sieges);
  add("interruptions", facts.unlisted_interruptions);
  return out;
}

json::array Residency(const PeriodFacts& facts) {
  json::array out;
  for (const auto& [flow, count] : facts.residency) {
    out.push_back(json::object{{"jurisdiction", flow.jurisdiction}, {"class", flow.data_class}, {"site", flow.site},
                               {"country", flow.country}, {"place", flow.place}, {"treatment", flow.treatment},
                               {"requests", count}});
  }
  return out;
}

json::array Accesses(const PeriodFacts& facts) {
  json::array out;
  for (const Access& access : facts.accesses) {
    out.push_back(json::object{{"seq", access.seq}, {"at_us", access.at_us},
                               {"kind", KindName(access.kind)}, {"who", access.who},
                               {"reason", access.reason}, {"target_seq", access.target_seq}, {"what", access.what}});
  }
  return out;
}

json::array Interruptions(const PeriodFacts& facts) {
  json::array out;
  for (const Interruption& gap : facts.interruptions) {
    out.push_back(json::object{{"seq", gap.seq}, {"at_us", gap.at_us},
                               {"kind", KindName(gap.kind)}, {"words", gap.words}});
  }
  return out;
}

json::array ClauseList(const ReportDocument& document) {
  json::array out;
  for (const Clause& clause : JudgeClauses(document.facts, document.verified)) {
    out.push_back(json::object{{"standard", clause.standard}, {"clause", clause.number},
                               {"asks", clause.asks}, {"log", SupportText(clause.support)},
                               {"evidence", clause.evidence}, {"remains", clause.remains}});
  }
  return out;
}

}  // namespace

std::string ReportPageJson(const ReportDocument& document) {
  const PeriodFacts& facts = document.facts;
  json::object out{{"schema", "portcullis.audit.report/1"},
                   {"organisation", document.organisation},
                   {"made_us", document.made_us},
                   {"made_by", document.made_by}};
  out["period"] = {{"begin_us", facts.period.begin_us}, {"end_us", facts.period.end_us}};
  json::object kinds;
  for (size_t i = 0; i < facts.kinds.size(); ++i) {
    const auto kind = KindFromNumber(static_cast<uint8_t>(i));
    if (kind && facts.kinds[i] > 0) kinds[KindName(*kind)] = facts.kinds[i];
  }
  out["records"] = {{"count", facts.records},       {"first_seq", facts.first_seq},
                    {"last_seq", facts.last_seq},   {"kinds", std::move(kinds)},
                    {"opened", facts.opened},       {"sealed", facts.sealed},
                    {"erased", facts.erased},
                    {"unreadable", facts.unreadable}, {"left_out", facts.left_out}};
  out["subjects"] = facts.subjects;
  out["tenants"] = facts.tenants;
  out["decisions"] = Counts(facts.decisions);
  out["failed_policies"] = facts.failed_policies;
  out["answered"] = facts.answered;
  out["aborted"] = facts.aborted;
  out["aborts"] = Table(facts.aborts);
  out["tokens"] = {{"prompt", facts.prompt_tokens}, {"completion", facts.completion_tokens}};
  out["policies_in_force"] = Policies(facts);
  out["revisions"] = Revisions(facts);
  out["sealed_policy_records"] = facts.sealed_policy_records;
  out["acts"] = Acts(facts);
  out["counted_acts"] = CountedActs(facts);
  json::object by_policy;
  for (const auto& [name, counts] : facts.by_policy) by_policy[name] = Counts(counts);
  out["by_policy"] = std::move(by_policy);
  out["residency"] = Residency(facts);
  out["findings"] = Table(facts.findings);
  json::object models;
  for (const auto& [hash, count] : facts.models) models[Hex(hash)] = count;
  out["models"] = std::move(models);
  json::object names;
  for (const auto& [hash, name] : facts.model_names) names[Hex(hash)] = name;
  out["model_names"] = std::move(names);
  out["accesses"] = Accesses(facts);
  out["refused_strangers"] = Table(facts.refused_strangers);
  out["refused_identified"] = Table(facts.refused_identified);
  out["episodes"] = Episodes(facts);
  json::array sieges;
  for (const Siege& siege : facts.sieges) {
    sieges.push_back(json::object{{"seq", siege.begin_seq}, {"at_us", siege.begin_us}, {"words", siege.words}});
  }
  out["sieges"] = std::move(sieges);
  out["interruptions"] = Interruptions(facts);
  out["overrides"] = facts.overrides;
  out["not_listed"] = NotListed(facts);
  out["clock"] = {{"unsynchronised", facts.unsynchronised}, {"unknown", facts.clock_unknown}};
  out["longest_silence_us"] = facts.longest_silence_us;
  out["verifier"] = json::parse(ReportJson(document.verified));
  out["clauses"] = ClauseList(document);
  return json::serialize(out);
}

}  // namespace portcullis::audit
