// The page. Sections are numbered as the clauses cite them; those about acts are in html_acts.cc.
#include <algorithm>
#include <ctime>

#include "audit/count.h"
#include "audit/note.h"
#include "audit/report/clauses.h"
#include "audit/report/countries.h"
#include "audit/report/document.h"
#include "audit/report/page.h"
#include "audit/report/style.h"
#include "audit/report/words.h"

namespace portcullis::audit {
namespace {

// A witness saw a head of the log: what was written up to then cannot be taken back unseen.
std::string WitnessWords(const Report& verified) {
  const auto latest = std::ranges::max_element(verified.witnesses, {}, &WitnessSeen::size);
  if (latest == verified.witnesses.end()) return {};
  return " " + latest->name + " saw its first " + CountedRecords(latest->size) + " on " +
         UtcText(latest->time * 1'000'000) + ".";
}

const std::string kAlone =
    "Nothing in the log contradicts itself or its signatures. Nobody outside has vouched for it: that no older copy was "
    "put back is not proved; see section 9.";

std::string VerdictWords(const Report& verified) {
  switch (verified.verdict) {
    case Verdict::kIncomplete: return "Something that must be in the log is missing. Read the reason before relying on this report.";
    case Verdict::kTampered: return "The log was changed after it was written. Do not rely on this report; keep a copy and investigate.";
    case Verdict::kRolledBack: return "The log is shorter than what was signed before: records were removed or an old copy was put back.";
    case Verdict::kForked: return "There are two different histories under one signature.";
    case Verdict::kValidWithRecovery:
      return (verified.witnesses.empty() ? kAlone : "The log is whole and unchanged." + WitnessWords(verified)) +
             " It tells of unclean ends or of an override itself; see section 8.";
    case Verdict::kValidWitnessed: return "The log is whole and unchanged since it was written." + WitnessWords(verified);
    case Verdict::kValidSelfAttested: return kAlone;
  }
  return {};
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
  page.Tag("p", VerdictWords(verified));
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
  page.Row({"Records whose content was destroyed", N(facts.erased)});
  if (facts.unreadable > 0) page.Row({"Records opened but not readable", N(facts.unreadable)});
  page.EndTable();
  if (facts.sealed > 0) {
    page.Tag("p", "Sealed records are counted above by their kind; tables of policies, residency and "
                  "findings cannot include them.");
  }
  if (facts.left_out > 0) {
    page.Tag("p", Counted(facts.left_out, "count is", "counts are") +
                      " beyond the length of a table below: see the rows (others).");
  }
}

void Decisions(Page& page, const PeriodFacts& facts) {
  page.Section("Decisions by policy",
               "A decision may rest on several policies and is then counted at each.");
  if (facts.by_policy.empty()) return page.Nothing("No decision could be read.");
  uint64_t most = 1;
  for (const auto& [name, counts] : facts.by_policy) most = std::max(most, counts.total());
  page.Raw("<table><thead><tr><th scope=\"col\">Policy</th>");
  for (const char* name : {"Allowed", "Treated", "Refused"}) page.Tag("th", name, " scope=\"col\" class=\"n\"");
  page.Raw("<th scope=\"col\">Share</th></tr></thead><tbody>\n");
  for (const auto& [name, counts] : facts.by_policy) {
    page.Raw("<tr>");
    page.Raw("<td>" + CellHtml(name) + "</td>\n");
    for (const uint64_t count : {counts.allowed, counts.treated, counts.refused}) {
      page.Tag("td", N(count), " class=\"n\"");
    }
    const auto percent = [&](uint64_t count) { return N(count * 100 / most); };
    page.Raw("<td class=\"bar\"><i class=\"a\" style=\"width:" + percent(counts.allowed) +
             "%\"></i><i class=\"t\" style=\"width:" + percent(counts.treated) +
             "%\"></i><i class=\"r\" style=\"width:" + percent(counts.refused) + "%\"></i></td></tr>\n");
  }
  page.Raw("</tbody></table>\n");
}

std::string CountryCell(const Flow& flow) {
  if (flow.country.empty()) return "–";
  const bool named = flow.place.empty() || flow.place == flow.country;
  return CountryWords(flow.country) + (named ? "" : "\nplace: " + flow.place);
}

void Residency(Page& page, const PeriodFacts& facts) {
  page.Section("Residency: where data went",
               "Which classes of data, of people of which jurisdiction, went to which site in which country, and how. "
               "The country is where the site processes data, as the policy in force said when it was decided. "
               "A request with several classes is counted at each.");
  if (facts.residency.empty()) return page.Nothing("No decision could be read.");
  page.Head({"People of", "Class of data", "Went to", "Country", "How", "Requests"}, "residency");
  bool unknown = false;
  for (const auto& [flow, count] : facts.residency) {
    unknown = unknown || flow.country == kUnknownCountry;
    page.Row({flow.jurisdiction, ClassWords(flow.data_class), flow.site.empty() ? "nowhere" : flow.site, CountryCell(flow),
              TreatmentWords(flow.treatment), N(count)});
  }
  page.EndTable();
  if (unknown) {
    page.Tag("p", "Where the country is unknown, the policy in force did not say in which country the site lies. The "
                  "configuration of the gateway says it: [[place]] with the id of the place, in = [\"DE\"] or another "
                  "country; it counts from the next approved revision on.", " class=\"warn\"");
  }
}

void Contents(Page& page, const PeriodFacts& facts) {
  page.Section("What was found, and which models answered",
               "Findings of the scanner in prompts, by kind; models by the SHA-256 of their weights.");
  if (facts.findings.empty()) {
    page.Nothing("No finding.");
  } else {
    page.Head({"Kind of finding", "How many"});
    for (const auto& [kind, count] : facts.findings) page.Row({FindingWords(kind), N(count)});
    page.EndTable();
  }
  if (facts.models.empty()) return page.Nothing("No model is named by a request.");
  page.Head({"Model", "SHA-256 of its weights", "Requests"}, "models");
  for (const auto& [hash, count] : facts.models) {
    const auto name = facts.model_names.find(hash);
    page.Row({hash == Hash{} ? "(others)" : name == facts.model_names.end() ? "(sealed)" : name->second,
              hash == Hash{} ? "" : Hex(hash), N(count)});
  }
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
  page.Head({"Standard", "Clause", "Asks to", "This log", "Evidence", "Remains to be shown"}, "clauses");
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
  PolicySection(page, document.facts);
  Decisions(page, document.facts);
  Residency(page, document.facts);
  Contents(page, document.facts);
  AccessSection(page, document.facts);
  AbuseSection(page, document.facts);
  GapSection(page, document.facts);
  Proof(page, document);
  Clauses(page, document);
  page.Raw("</section>\n</body>\n</html>\n");
  return page.Take();
}

}  // namespace portcullis::audit
