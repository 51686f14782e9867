#include "audit/report/clauses.h"

#include <algorithm>
#include <utility>

#include "audit/count.h"
#include "audit/record.h"
#include "audit/report/document.h"

namespace portcullis::audit {
namespace {

bool IsReading(const Access& access) {
  return access.kind == Kind::kAuditRead || access.kind == Kind::kRelease;
}

bool Kept(const Report& verified, uint64_t days) {
  return verified.records > 0 && verified.erased == 0 &&
         verified.last_us - verified.first_us >= days * kDayUs;
}

std::string Date(uint64_t us) { return UtcText(us).substr(0, 10); }

// The sentences that several clauses share, and whether each has something to show.
struct Evidence {
  Evidence(const PeriodFacts& facts, const Report& verified);

  bool valid;       // the verifier found no fault
  bool any;         // there are records
  bool decided;     // there are decisions
  bool opened;      // and this report could read them
  bool reviewed;    // somebody read records, or had them released
  bool kept;        // six months of records, with all their contents
  bool kept_year;   // twelve
  bool watched;     // refusals were counted, or siege mode changed
  bool clock;       // every record had a synchronised clock
  std::string integrity, events, content, decisions, residency, times, failures, review, abuse,
      retention, models;
};

Evidence::Evidence(const PeriodFacts& facts, const Report& verified)
    : valid(IsValid(verified.verdict)),
      any(facts.records > 0),
      decided(facts.decisions.total() > 0),
      opened(!facts.by_policy.empty()),
      reviewed(std::ranges::any_of(facts.accesses, IsReading)),
      kept(Kept(verified, 183)),
      kept_year(Kept(verified, 365)),
      watched(!facts.refused_strangers.empty() || !facts.refused_identified.empty() ||
              !facts.sieges.empty()),
      clock(any && facts.unsynchronised == 0 && facts.clock_unknown == 0) {
  const auto kind = [&facts](Kind wanted) { return facts.kinds[static_cast<size_t>(wanted)]; };
  integrity = "the verifier says " + std::string(VerdictName(verified.verdict)) + " for " +
              Counted(verified.records, "record", "records") +
              (verified.key_given ? ", against a key given from outside the log"
                                  : ", against the key that lies with the log");
  events = Counted(facts.records, "event was", "events were") + " recorded automatically: " +
           Counted(kind(Kind::kReq), "request", "requests") + ", " +
           Counted(facts.decisions.total(), "decision", "decisions") + ", " +
           Counted(facts.answered + facts.aborted, "end", "ends") + ", " +
           Counted(kind(Kind::kAdmin), "administrator's act", "administrators' acts");
  content = "every event carries time, kind, request, outcome and keyed tags of who asked; " +
            Counted(facts.opened, "sealed content was", "sealed contents were") +
            " opened for this report, " + std::to_string(facts.sealed) + " stayed sealed";
  decisions = Counted(facts.decisions.total(), "decision", "decisions") + " by " +
              Counted(facts.by_policy.size(), "policy", "policies") + ": " +
              std::to_string(facts.decisions.allowed) + " allowed, " +
              std::to_string(facts.decisions.treated) + " allowed after treatment, " +
              std::to_string(facts.decisions.refused) + " refused";
  residency = Counted(facts.residency.size(), "flow", "flows") +
              " of data by jurisdiction, class and site (section 4)";
  times = std::to_string(facts.unsynchronised) + " of " + std::to_string(facts.records) +
          " records were made with an unsynchronised clock, " +
          std::to_string(facts.clock_unknown) + " with an unknown one; " +
          Counted(kind(Kind::kClock), "change", "changes") + " of the clock recorded";
  failures = Counted(kind(Kind::kRecovery) - facts.overrides, "unclean end", "unclean ends") + " and " +
             Counted(facts.overrides, "override of a refused start", "overrides of refused starts") +
             " recorded; a request " +
             "without a durable record is refused, so a silent log means a silent service; the " +
             "longest silence was " + std::to_string(facts.longest_silence_us / 1'000'000) + " s";
  review = Counted(facts.accesses.size(), "reading, release, erasure or hold is",
                 "readings, releases, erasures and holds are") +
           " recorded (section 6)";
  uint64_t strangers = 0;
  for (const auto& entry : facts.refused_strangers) strangers += entry.second;
  abuse = Counted(strangers, "refusal", "refusals") + " of strangers counted, " +
          Counted(facts.sieges.size(), "change", "changes") + " of siege mode (section 7)";
  retention = verified.records == 0
                  ? "the log has no records"
                  : "the log holds records from " + Date(verified.first_us) + " to " +
                        Date(verified.last_us) + "; the contents of " +
                        Counted(verified.erased, "record", "records") +
                        " were erased or have expired by class, " + Counted(verified.shredded, "part", "parts") +
                        " shredded one by one";
  models = Counted(facts.models.size(), "model", "models") +
           " by the SHA-256 of their weights; tokens in: " + std::to_string(facts.prompt_tokens) +
           ", out: " + std::to_string(facts.completion_tokens);
}

Support If(bool all, bool some = false) {
  return all ? Support::kSupports : some ? Support::kInPart : Support::kNothingHere;
}

void AddEurope(const Evidence& e, std::vector<Clause>& out) {
  out.push_back({"GDPR", "Art. 5(2)", "show that the principles of processing are kept",
                 If(e.decided && e.valid && e.opened, e.decided), e.decisions + "; " + e.integrity,
                 "the purposes themselves and their legal bases are set by the controller"});
  out.push_back({"GDPR", "Art. 30", "keep records of processing: categories, recipients, transfers",
                 If(e.opened, e.decided), e.residency,
                 "names of the controller and its officer, and the description of safeguards"});
  out.push_back({"GDPR", "Art. 32", "security fit for the risk, and testing that it works",
                 If(e.any && e.valid, e.any), e.integrity + "; " + e.abuse,
                 "the assessment of the risk, and the rest of the organisation's measures"});
  out.push_back({"EU AI Act", "Art. 12", "a high-risk system records events over its lifetime",
                 If(e.any && e.valid, e.any), e.events + "; " + e.models,
                 "whether the system is high-risk is not decided here; duties for the uses of Annex "
                 "III apply from 2 December 2027"});
  out.push_back({"EU AI Act", "Art. 19", "providers keep these logs for at least six months",
                 If(e.kept, e.any), e.retention, "that the retention set fits the use"});
  out.push_back({"EU AI Act", "Art. 26", "deployers watch operation and keep logs six months",
                 If(e.reviewed && e.kept, e.any), e.events + "; " + e.review + "; " + e.retention,
                 "human oversight by trained people, and information of those affected"});
  out.push_back({"DORA RTS 2024/1774", "Art. 12",
                 "log identity, access, capacity, change and network events, protected, on a "
                 "synchronised clock",
                 If(e.any && e.valid && e.clock, e.any), e.events + "; " + e.times,
                 "logs of the other systems; the period of retention by criticality"});
}

void AddIso(const Evidence& e, std::vector<Clause>& out) {
  out.push_back({"ISO/IEC 27001:2022", "A.8.15", "produce, store, protect and analyse logs",
                 If(e.any && e.valid && e.reviewed, e.any), e.events + "; " + e.integrity + "; " + e.review,
                 "who analyses them, and when"});
  out.push_back({"ISO/IEC 27001:2022", "A.8.17", "synchronise clocks with approved sources",
                 If(e.clock, e.any), e.times, "which source is approved"});
  out.push_back({"ISO/IEC 42001:2023", "A.6.2.8", "decide when event logs of an AI system are kept, and keep them",
                 If(e.any && e.valid, e.any), e.events + "; " + e.models,
                 "the decision for which phases of the life cycle logs are kept"});
}

void AddUnitedStates(const Evidence& e, std::vector<Clause>& out) {
  const std::string nist = "NIST SP 800-53";
  out.push_back({nist, "AU-2", "choose the events that are logged", If(e.any), e.events,
                 "the rationale, reviewed at a set interval"});
  out.push_back({nist, "AU-3", "records say what, when, where, from where, how it ended, and who",
                 If(e.any && e.opened, e.any), e.content, ""});
  out.push_back({nist, "AU-4, AU-5", "room for records, and an answer when recording fails",
                 If(e.any), e.failures, "that somebody is alerted and acts"});
  out.push_back({nist, "AU-6, AU-7", "review and analyse records; reduce them to reports",
                 If(e.reviewed, e.any), e.review + "; this report", "the interval of review and its findings"});
  out.push_back({nist, "AU-8", "time stamps from a synchronised clock", If(e.clock, e.any), e.times, ""});
  out.push_back({nist, "AU-9, AU-10", "protect records; make acts undeniable",
                 If(e.any && e.valid, e.any), e.integrity, "custody of the keys of the log and the auditors"});
  out.push_back({nist, "AU-11", "keep records as long as policy says", If(e.kept, e.any), e.retention,
                 "the period that the organisation has set"});
  out.push_back({nist, "AU-12", "generate records at the component where events happen",
                 If(e.any), e.events, ""});
  out.push_back({"SOC 2", "CC7.2", "watch for anomalies that may be security events",
                 If(e.watched, e.any), e.abuse, "the people who watch"});
  out.push_back({"SOC 2", "CC7.3", "judge security events and act on them", If(e.reviewed, e.any),
                 e.review + "; " + e.abuse, "the judgement and the acts outside of this appliance"});
  out.push_back({"PCI DSS 4.0", "10.2, 10.3", "log access to data; protect logs from change",
                 If(e.any && e.valid, e.any), e.events + "; " + e.integrity, ""});
  out.push_back({"PCI DSS 4.0", "10.4, 10.5", "review logs; keep twelve months, three at hand",
                 If(e.reviewed && e.kept_year, e.any), e.review + "; " + e.retention, "the daily review"});
  out.push_back({"PCI DSS 4.0", "10.6, 10.7", "synchronise time; notice failures of the controls",
                 If(e.clock, e.any), e.times + "; " + e.failures, "the answer to failures"});
  out.push_back({"HIPAA", "45 CFR 164.312(b)", "record and examine activity where health data is used",
                 If(e.any && e.reviewed, e.any), e.events + "; " + e.review,
                 "that examination takes place at the interval that the risk asks for"});
}

}  // namespace

std::string_view SupportText(Support support) {
  switch (support) {
    case Support::kSupports: return "supports";
    case Support::kInPart: return "supports in part";
    case Support::kNothingHere: return "nothing in this period";
  }
  return "";
}

std::vector<Clause> JudgeClauses(const PeriodFacts& facts, const Report& verified) {
  const Evidence evidence(facts, verified);
  std::vector<Clause> out;
  AddEurope(evidence, out);
  AddIso(evidence, out);
  AddUnitedStates(evidence, out);
  return out;
}

}  // namespace portcullis::audit
