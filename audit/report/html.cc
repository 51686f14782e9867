// The page. Sections are numbered as the clauses cite them.
#include <algorithm>
#include <ctime>
#include <initializer_list>

#include "audit/note.h"
#include "audit/report/clauses.h"
#include "audit/report/document.h"
#include "audit/report/escape.h"
#include "audit/report/style.h"

namespace portcullis::audit {
namespace {

using Cells = std::initializer_list<std::string>;

class Page {
 public:
  void Raw(std::string_view html) { out_ += html; }
  void Text(std::string_view text) { out_ += EscapeHtml(text); }
  void Tag(std::string_view name, std::string_view text, std::string_view attributes = "") {
    out_ += "<" + std::string(name) + std::string(attributes) + ">";
    Text(text);
    out_ += "</" + std::string(name) + ">\n";
  }
  void Section(std::string_view title, std::string_view explanation) {
    Raw("</section>\n<section>\n");
    Tag("h2", std::to_string(++section_) + ". " + std::string(title));
    Tag("p", explanation, " class=\"why\"");
  }
  void Head(Cells cells) {
    Raw("<table><thead><tr>");
    for (const std::string& cell : cells) Tag("th", cell, " scope=\"col\"");
    Raw("</tr></thead><tbody>\n");
  }
  void Row(Cells cells) {
    Raw("<tr>");
    for (const std::string& cell : cells) {
      Tag("td", cell, IsNumber(cell) ? " class=\"n\"" : "");
    }
    Raw("</tr>\n");
  }
  void EndTable() { Raw("</tbody></table>\n"); }
  void Nothing(std::string_view words) { Tag("p", words, " class=\"none\""); }
  std::string Take() { return std::move(out_); }

 private:
  static bool IsNumber(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  }

  std::string out_;
  int section_ = 0;
};

std::string N(uint64_t number) { return std::to_string(number); }

std::string VerdictWords(Verdict verdict) {
  switch (verdict) {
    case Verdict::kIncomplete: return "Something that must be in the log is missing. Read the reason before relying on this report.";
    case Verdict::kTampered: return "The log was changed after it was written. Do not rely on this report; keep a copy and investigate.";
    case Verdict::kRolledBack: return "The log is shorter than what was signed before: records were removed or an old copy was put back.";
    case Verdict::kForked: return "There are two different histories under one signature.";
    case Verdict::kValidWithRecovery: return "The log is whole and unchanged. It tells of unclean ends or of an override itself; see section 8.";
    default: return "The log is whole and unchanged since it was written.";
  }
}

void Heading(Page& page, const ReportDocument& document) {
  const Report& verified = document.verified;
  page.Raw("<header>\n");
  page.Tag("p", document.organisation.empty() ? "Portcullis" : document.organisation, " class=\"org\"");
  page.Tag("h1", "Compliance report of the language-model gateway");
  page.Tag("p", PeriodText(document.facts.period), " class=\"period\"");
  page.Tag("p", "Log " + verified.origin + ". Made " + UtcText(document.made_us) + " by " +
                    document.made_by + ". All times are UTC.");
  page.Raw("</header>\n<section>\n<div class=\"verdict " +
           std::string(IsValid(verified.verdict) ? "good" : "bad") + "\">");
  page.Tag("strong", VerdictName(verified.verdict));
  page.Tag("p", VerdictWords(verified.verdict));
  if (!verified.reason.empty()) page.Tag("p", "Reason: " + verified.reason);
  page.Raw("</div>\n");
  page.Tag("p",
           "This report counts what the gateway wrote before it forwarded each request. Nobody can "
           "change a record afterwards without the verifier noticing; section 9 says what that proves "
           "and what it cannot. Contents are sealed: what this page tells of them was read with the "
           "keys of the auditor who made it.",
           " class=\"why\"");
}

void Summary(Page& page, const PeriodFacts& facts) {
  page.Section("The period in figures",
               "Every request has a decision before anything is forwarded, and an end.");
  page.Head({"What", "How many"});
  page.Row({"Requests", N(facts.kinds[static_cast<size_t>(Kind::kReq)])});
  page.Row({"People and programs who asked (by keyed tag)",
            N(facts.subjects) + (facts.subjects_capped ? " or more" : "")});
  page.Row({"Tenants", N(facts.tenants)});
  page.Row({"Decisions: allowed", N(facts.decisions.allowed)});
  page.Row({"Decisions: allowed after treatment (redacted, pseudonymised, kept here)",
            N(facts.decisions.treated)});
  page.Row({"Decisions: refused", N(facts.decisions.refused)});
  page.Row({"Decisions in which a policy could not be evaluated (counted as no)",
            N(facts.failed_policies)});
  page.Row({"Answers completed", N(facts.answered)});
  page.Row({"Requests ended without a complete answer", N(facts.aborted)});
  page.Row({"Tokens in prompts", N(facts.prompt_tokens)});
  page.Row({"Tokens in answers", N(facts.completion_tokens)});
  page.Row({"Records in the period", N(facts.records)});
  page.Row({"Records opened for this report", N(facts.opened)});
  page.Row({"Records whose content stayed sealed", N(facts.sealed)});
  if (facts.unreadable > 0) page.Row({"Records opened but not readable", N(facts.unreadable)});
  page.EndTable();
  if (facts.sealed > 0) {
    page.Tag("p", "Sealed records are counted above by their kind; tables of policies, residency and "
                  "findings cannot include them.");
  }
  if (facts.left_out > 0) {
    page.Tag("p", N(facts.left_out) + " entries are beyond the length of a table below; they are "
                                      "counted under (others) or can be listed with audit search.");
  }
}

void Policies(Page& page, const PeriodFacts& facts) {
  page.Section("Policies in force, and who changed them",
               "A revision is known by the hash of its rules; each decision names the one it was made by.");
  if (facts.policies_in_force.empty()) {
    page.Nothing("No decision was made and no policy put in force in this period.");
  } else {
    page.Head({"Revision", "Hash", "First seen", "Last seen", "Decisions"});
    for (const PolicyInForce& policy : facts.policies_in_force) {
      page.Row({policy.revision.empty() ? "(sealed)" : policy.revision, Hex(policy.hash).substr(0, 16),
                UtcText(policy.first_us), UtcText(policy.last_us), N(policy.decisions)});
    }
    page.EndTable();
  }
  page.Tag("h3", "Acts of administrators, and configuration put in force");
  if (facts.acts.empty()) return page.Nothing("None in this period.");
  page.Head({"Record", "When", "Who", "What", "On what", "Outcome"});
  for (const Act& act : facts.acts) {
    page.Row({N(act.seq), UtcText(act.at_us), act.who, act.operation, act.argument,
              act.refused ? "refused" : "done"});
  }
  page.EndTable();
}

void Decisions(Page& page, const PeriodFacts& facts) {
  page.Section("Decisions by policy",
               "A decision may rest on several policies and is then counted at each.");
  if (facts.by_policy.empty()) return page.Nothing("No decision could be read.");
  uint64_t most = 1;
  for (const auto& [name, counts] : facts.by_policy) most = std::max(most, counts.total());
  page.Head({"Policy", "Allowed", "Treated", "Refused", "Share"});
  for (const auto& [name, counts] : facts.by_policy) {
    page.Raw("<tr>");
    page.Tag("td", name);
    for (const uint64_t count : {counts.allowed, counts.treated, counts.refused}) {
      page.Tag("td", N(count), " class=\"n\"");
    }
    const auto percent = [&](uint64_t count) { return N(count * 100 / most); };
    page.Raw("<td class=\"bar\"><i class=\"a\" style=\"width:" + percent(counts.allowed) +
             "%\"></i><i class=\"t\" style=\"width:" + percent(counts.treated) +
             "%\"></i><i class=\"r\" style=\"width:" + percent(counts.refused) + "%\"></i></td></tr>\n");
  }
  page.EndTable();
}

void Residency(Page& page, const PeriodFacts& facts) {
  page.Section("Residency: where data went",
               "Which classes of data, of people of which jurisdiction, went to which site, and how. "
               "A request with several classes is counted at each.");
  if (facts.residency.empty()) return page.Nothing("No decision could be read.");
  page.Head({"Jurisdiction of the people", "Class of data", "Site", "How", "Requests"});
  for (const auto& [flow, count] : facts.residency) {
    const auto& [home, data_class, site, treatment] = flow;
    page.Row({home, data_class, site.empty() ? "nowhere" : site, treatment, N(count)});
  }
  page.EndTable();
}

void Contents(Page& page, const PeriodFacts& facts) {
  page.Section("What was found, and which models answered",
               "Findings of the scanner in prompts, by kind; models by the SHA-256 of their weights.");
  if (facts.findings.empty()) {
    page.Nothing("No finding.");
  } else {
    page.Head({"Kind of finding", "How many"});
    for (const auto& [kind, count] : facts.findings) page.Row({kind, N(count)});
    page.EndTable();
  }
  if (facts.models.empty()) return page.Nothing("No model is named by a request.");
  page.Head({"Model (SHA-256)", "Requests"});
  for (const auto& [hash, count] : facts.models) {
    page.Row({hash == Hash{} ? "(others)" : Hex(hash), N(count)});
  }
  page.EndTable();
}

void Accesses(Page& page, const PeriodFacts& facts) {
  page.Section("Who read, released, erased, shredded or held records",
               "Reading needs an auditor's key and the person's key: out of a release, which stands here, or on the "
               "machine itself out of the key store, where it stands here only when the reader said so (--socket).");
  if (facts.accesses.empty()) return page.Nothing("Nobody, in this period.");
  page.Head({"Record", "When", "What", "Who", "Why", "Of record"});
  for (const Access& access : facts.accesses) {
    page.Row({N(access.seq), UtcText(access.at_us), std::string(KindName(access.kind)) + (access.what.empty() ? "" : " (" + access.what + ")"), access.who,
              access.reason, access.target_seq == 0 ? "–" : N(access.target_seq)});
  }
  page.EndTable();
}

void Abuse(Page& page, const PeriodFacts& facts) {
  page.Section("Abuse and siege",
               "Refusals are counted every ten seconds, not recorded one by one, so that an attacker "
               "cannot fill the log.");
  if (!facts.sieges.empty()) {
    page.Head({"Record", "When", "What"});
    for (const Siege& siege : facts.sieges) {
      page.Row({N(siege.begin_seq), UtcText(siege.begin_us), siege.words});
    }
    page.EndTable();
  }
  if (facts.refused_strangers.empty() && facts.refused_identified.empty()) {
    return page.Nothing("No refusal was counted.");
  }
  page.Head({"Refusal", "Of whom", "How many"});
  for (const auto& [name, count] : facts.refused_strangers) page.Row({name, "strangers", N(count)});
  for (const auto& [name, count] : facts.refused_identified) page.Row({name, "known callers", N(count)});
  page.EndTable();
}

void Gaps(Page& page, const PeriodFacts& facts) {
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
  }
  page.Tag("h3", "Requests without a complete answer, by reason");
  if (facts.aborts.empty()) return page.Nothing("None.");
  page.Head({"Reason", "How many"});
  for (const auto& [name, count] : facts.aborts) page.Row({name, N(count)});
  page.EndTable();
}

void Proof(Page& page, const ReportDocument& document) {
  page.Section("What the verifier says",
               "The offline verifier read the whole log, not only this period. Run portcullis-verify "
               "on a copy of it, on your own machine, to see the same.");
  page.Tag("pre", ReportText(document.verified));
  page.Tag("p", "Not proved by anything here: what a manipulated gateway did not record, or recorded "
                "falsely when it happened; and what became of contents after they were released.");
}

void Clauses(Page& page, const ReportDocument& document) {
  page.Section("Clause by clause",
               "What this period's log supports. It certifies nothing: each clause also asks for "
               "people and procedures, named in the last column.");
  page.Head({"Standard", "Clause", "Asks to", "This log", "Evidence", "Remains to be shown"});
  for (const Clause& clause : JudgeClauses(document.facts, document.verified)) {
    page.Row({clause.standard, clause.number, clause.asks, std::string(SupportText(clause.support)),
              clause.evidence, clause.remains});
  }
  page.EndTable();
}

}  // namespace

std::string UtcText(uint64_t us) {
  const auto seconds = static_cast<std::time_t>(us / 1'000'000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "(no date)";
  char text[40];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

std::string PeriodText(const Period& period) {
  return "From " + (period.begin_us == 0 ? "the beginning of the log" : UtcText(period.begin_us)) +
         " to " + (period.end_us == UINT64_MAX ? "now" : UtcText(period.end_us));
}

std::string ReportPageHtml(const ReportDocument& document) {
  Page page;
  page.Raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n");
  page.Tag("title", "Compliance report, " + document.verified.origin);
  page.Raw("<style>" + std::string(kReportStyle) + "</style>\n</head>\n<body>\n");
  Heading(page, document);
  Summary(page, document.facts);
  Policies(page, document.facts);
  Decisions(page, document.facts);
  Residency(page, document.facts);
  Contents(page, document.facts);
  Accesses(page, document.facts);
  Abuse(page, document.facts);
  Gaps(page, document.facts);
  Proof(page, document);
  Clauses(page, document);
  page.Raw("</section>\n</body>\n</html>\n");
  return page.Take();
}

}  // namespace portcullis::audit
