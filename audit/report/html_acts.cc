#include <iterator>

#include "audit/count.h"
#include "audit/note.h"
#include "audit/report/document.h"
#include "audit/report/page.h"
#include "audit/report/words.h"

namespace portcullis::audit {
namespace {

std::string ShortHash(const Hash& hash) { return Hex(hash).substr(0, 12); }

std::string SpanWords(const PolicyRevision& revision) {
  std::string words;
  for (const PolicyRevision::Span& span : revision.spans) {
    if (!words.empty()) words += "\n";
    words += UtcText(span.from_us) + ": " + span.began + "\n";
    if (span.to_us == 0) words += "in force at the end of the period";
    else words += UtcText(span.to_us) + ": " + (span.ended.empty() ? "no longer in force" : span.ended);
  }
  if (words.empty()) words = "never";
  return words + (revision.withdrawn.empty() ? "" : "\nwithdrawn " + revision.withdrawn);
}

void Revisions(Page& page, const PeriodFacts& facts) {
  page.Head({"Revision", "Proposed", "Approved", "In force, and how that began and ended", "Decisions"}, "revisions");
  for (const PolicyRevision& revision : facts.revisions) {
    const auto named = std::ranges::find(facts.policies_in_force, revision.hash, &PolicyInForce::hash);
    std::string approved;
    for (const auto& one : revision.approvals) {
      approved += (approved.empty() ? "" : "\n") + one.who + ", " + UtcText(one.at_us);
    }
    page.Row({(revision.number == 0 ? "(a folder)" : N(revision.number)) + "\nsha256 " + ShortHash(revision.hash),
              revision.proposed_by.empty() ? "–" : revision.proposed_by + ", " + UtcText(revision.proposed_us),
              approved.empty() ? "–" : approved, SpanWords(revision),
              N(named == facts.policies_in_force.end() ? 0 : named->decisions)});
  }
  page.EndTable();
}

void NamedRules(Page& page, const PeriodFacts& facts) {
  const auto known = [&](const PolicyInForce& policy) {
    return std::ranges::find(facts.revisions, policy.hash, &PolicyRevision::hash) != facts.revisions.end();
  };
  std::vector<PolicyInForce> rest;
  std::ranges::remove_copy_if(facts.policies_in_force, std::back_inserter(rest), known);
  if (rest.empty()) return;
  page.Tag("h3", "Other rules that decisions name");
  page.Head({"Rules (SHA-256)", "First decision", "Last decision", "Decisions"});
  for (const PolicyInForce& policy : rest) {
    page.Row({ShortHash(policy.hash), UtcText(policy.first_us), UtcText(policy.last_us), N(policy.decisions)});
  }
  page.EndTable();
}

void Acts(Page& page, const PeriodFacts& facts) {
  page.Tag("h3", "Acts of administrators and officers, and what was put in force");
  if (facts.acts.empty()) {
    page.Nothing("None in this period.");
  } else {
    page.Head({"Record", "When", "Who", "What", "On what", "Outcome"}, "acts");
    for (const Act& act : facts.acts) {
      std::string argument = act.argument;  // "revision 2 sha256:<64 digits>"
      if (const size_t at = argument.find("sha256:"); at != std::string::npos) argument.resize(std::min(argument.size(), at + 19));
      page.Row({N(act.seq), UtcText(act.at_us), act.who, OperationWords(act.operation), argument,
                std::string(act.refused ? "refused" : "done") + (act.why.empty() ? "" : ": " + act.why)});
    }
    page.EndTable();
  }
  page.Missing(facts.unlisted_acts, "ADMIN");
  if (facts.counted_acts.empty()) return;
  page.Tag("h3", "Readings and requests, counted");
  page.Head({"Who", "What", "Done", "Refused"});
  for (const auto& [key, counts] : facts.counted_acts) {
    page.Row({key.first, OperationWords(key.second), N(counts.done), N(counts.refused)});
  }
  page.EndTable();
}

}  // namespace

void PolicySection(Page& page, const PeriodFacts& facts) {
  page.Section("Policies in force, and who changed them",
               "A revision is one state of the rules, known by its number and by the hash of its text. It is proposed "
               "by one officer, approved by others, put in force on probation, and kept or rolled back.");
  if (facts.revisions.empty()) {
    page.Nothing(facts.sealed_policy_records > 0 ? "What was in force is sealed: it needs the keys of the log's own records."
                                                 : "No policy was put in force up to the end of this period.");
  } else {
    Revisions(page, facts);
  }
  if (facts.sealed_policy_records > 0 && !facts.revisions.empty()) {
    page.Tag("p", Counted(facts.sealed_policy_records, "record", "records") + " of administrators and configuration stayed sealed: this "
             "table may lack revisions, approvals, and the ends of what was in force.", " class=\"warn\"");
  }
  NamedRules(page, facts);
  Acts(page, facts);
}

void AccessSection(Page& page, const PeriodFacts& facts) {
  page.Section("Who read, released, erased, shredded or held records",
               "Reading needs an auditor's key and the person's key: out of a release, which stands here, or on the "
               "machine itself out of the key store, where it stands here only when the reader said so (--socket).");
  if (facts.accesses.empty()) return page.Nothing("Nobody, in this period.");
  page.Head({"Record", "When", "What", "Who", "Why", "Of record"}, "accesses");
  for (const Access& access : facts.accesses) {
    page.Row({N(access.seq), UtcText(access.at_us),
              std::string(KindName(access.kind)) + (access.what.empty() ? "" : " (" + access.what + ")"), access.who,
              access.reason, access.target_seq == 0 ? "–" : N(access.target_seq)});
  }
  page.EndTable();
  page.Missing(facts.unlisted_reads, "AUDIT_READ");
}

void AbuseSection(Page& page, const PeriodFacts& facts) {
  page.Section("Abuse and siege",
               "Refusals are counted every ten seconds, not recorded one by one, so that an attacker "
               "cannot fill the log. Counts without a minute's pause between them are one episode.");
  if (!facts.sieges.empty()) {
    page.Head({"Record", "When", "What"});
    for (const Siege& siege : facts.sieges) {
      page.Row({N(siege.begin_seq), UtcText(siege.begin_us), siege.words});
    }
    page.EndTable();
    page.Missing(facts.unlisted_sieges, "SIEGE");
  }
  if (facts.episodes.empty()) return page.Nothing("No refusal was counted.");
  page.Tag("h3", "Episodes");
  page.Head({"First count", "Last count", "Of strangers", "Of known callers", "Mostly"});
  for (const Episode& episode : facts.episodes) {
    const auto most = std::ranges::max_element(episode.reasons, {}, [](const auto& one) { return one.second; });
    page.Row({UtcText(episode.first_us), UtcText(episode.last_us), N(episode.strangers), N(episode.identified),
              (most == episode.reasons.end() ? std::string() : ReasonWords(most->first)) +
                  (episode.sealed ? " (some counts are sealed)" : "")});
  }
  page.EndTable();
  page.Missing(facts.unlisted_episodes, "ABUSE");
  if (facts.refused_strangers.empty() && facts.refused_identified.empty()) return;
  page.Tag("h3", "Refusals of the whole period");
  page.Head({"Refusal", "Of whom", "How many"});
  for (const auto& [name, count] : facts.refused_strangers) page.Row({ReasonWords(name), "strangers", N(count)});
  for (const auto& [name, count] : facts.refused_identified) page.Row({ReasonWords(name), "known callers", N(count)});
  page.EndTable();
}

void GapSection(Page& page, const PeriodFacts& facts) {
  page.Section("Gaps, restarts and clocks",
               "What stands between this log and completeness. A heartbeat is written while nothing "
               "else is, so that a paused log shows.");
  page.Tag("p", "Longest time without a record while the log ran: " +
                    N(facts.longest_silence_us / 1'000'000) + " s. Records with an unsynchronised clock: " +
                    N(facts.unsynchronised) + "; with an unknown one: " + N(facts.clock_unknown) + ".");
  if (!facts.interruptions.empty()) {
    page.Head({"Record", "When", "Kind", "What happened"});
    for (const Interruption& gap : facts.interruptions) {
      page.Row({N(gap.seq), UtcText(gap.at_us), std::string(KindName(gap.kind)), gap.words});
    }
    page.EndTable();
    page.Missing(facts.unlisted_interruptions, "BOOT --kind STOP --kind CLOCK");
  }
  page.Tag("h3", "Requests without a complete answer, by reason");
  if (facts.aborts.empty()) return page.Nothing("None.");
  page.Head({"Reason", "How many"});
  for (const auto& [name, count] : facts.aborts) page.Row({ReasonWords(name), N(count)});
  page.EndTable();
}

}  // namespace portcullis::audit
