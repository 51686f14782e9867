#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

#include "audit/note.h"
#include "audit/override.h"
#include "audit/report/clauses.h"
#include "audit/report/collect.h"
#include "audit/report/document.h"
#include "audit/report/escape.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kDay = 86'400'000'000;
constexpr uint64_t kStart = 20'000 * kDay;

// Feeds records with the sequence numbers, times and identities that a log would give them.
class Log {
 public:
  explicit Log(Period period = {}) : collector(period) {}

  void Add(Kind kind, uint16_t outcome, const char* json = nullptr,
           PartType type = PartType::kMetadata) {
    Leaf leaf = Next(kind, outcome, json != nullptr);
    std::optional<std::vector<Part>> parts;
    if (json != nullptr) parts.emplace().push_back({type, json});
    collector.Take(leaf, parts);
  }
  void AddErased(Kind kind, uint16_t outcome) { collector.Take(Next(kind, outcome, true), std::nullopt, true); }
  void AddSealed(Kind kind, uint16_t outcome) { collector.Take(Next(kind, outcome, true), std::nullopt); }
  void Wait(uint64_t us) { now_ += us; }

  Collector collector;
  Tag subject{1};
  Hash policy{}, model{};

 private:
  Leaf Next(Kind kind, uint16_t outcome, bool content) {
    Leaf leaf;
    leaf.kind = kind;
    leaf.clock = ClockState::kSynchronised;
    leaf.seq = seq_++;
    leaf.wall_us = now_;
    leaf.mono_us = now_;
    leaf.outcome = outcome;
    leaf.subject = subject;
    leaf.policy_hash = policy;
    leaf.model_hash = model;
    leaf.parts = content ? 1 : 0;
    return leaf;
  }

  uint64_t seq_ = 0;
  uint64_t now_ = kStart;
};

constexpr const char* kRefused =
    R"({"treatment":"forward","site":"abroad","policies":["gdpr-ch5"],"errors":[],"revision":"r7",
        "found":{"classes":["personal"],"kinds":{"iban":2},"subject_jurisdictions":["EU","US"]}})";
constexpr const char* kTreated =
    R"({"treatment":"redact","site":"local","policies":["default","redact-ids"],"errors":["x"],
        "revision":"r7","found":{"classes":[],"kinds":{},"subject_jurisdictions":[]}})";

TEST(Collector, CountsDecisionsByPolicyAndFlow) {
  Log log;
  log.Add(Kind::kDecision, 2, kRefused, PartType::kDecision);
  log.Add(Kind::kDecision, 3, kTreated, PartType::kDecision);
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_EQ(facts.decisions.refused, 1u);
  EXPECT_EQ(facts.decisions.treated, 1u);
  EXPECT_EQ(facts.failed_policies, 1u);
  EXPECT_EQ(facts.by_policy.at("gdpr-ch5").refused, 1u);
  EXPECT_EQ(facts.by_policy.at("redact-ids").treated, 1u);
  // What was refused went nowhere, whatever site was meant.
  EXPECT_EQ(facts.residency.at({"EU", "personal", "", "refused"}), 1u);
  EXPECT_EQ(facts.residency.at({"US", "personal", "", "refused"}), 1u);
  EXPECT_EQ(facts.residency.at({"(not stated)", "(nothing found)", "local", "redact"}), 1u);
  EXPECT_EQ(facts.findings.at("iban"), 2u);
  ASSERT_EQ(facts.policies_in_force.size(), 1u);
  EXPECT_EQ(facts.policies_in_force[0].revision, "r7");
  EXPECT_EQ(facts.policies_in_force[0].decisions, 2u);
}

TEST(Collector, CountsSealedRecordsByWhatTheirLeavesSay) {
  Log log;
  log.AddSealed(Kind::kReq, 0);
  log.AddSealed(Kind::kDecision, 1);
  log.AddSealed(Kind::kAbort, 503);
  log.AddSealed(Kind::kAdmin, 2);
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_EQ(facts.sealed, 4u);
  EXPECT_EQ(facts.opened, 0u);
  EXPECT_EQ(facts.decisions.allowed, 1u);
  EXPECT_TRUE(facts.by_policy.empty());
  EXPECT_EQ(facts.aborts.at("(sealed)"), 1u);
  EXPECT_TRUE(facts.acts.empty());
  EXPECT_EQ(facts.counted_acts.at({"(sealed)", "(sealed)"}).refused, 1u);
}

TEST(Collector, TellsErasedFromSealed) {
  Log log;
  log.AddErased(Kind::kReq, 0);
  log.AddSealed(Kind::kReq, 0);
  EXPECT_EQ(log.collector.facts().erased, 1u);
  EXPECT_EQ(log.collector.facts().sealed, 1u);
}

TEST(Collector, KeepsToThePeriod) {
  Log log({kStart + kDay, kStart + 2 * kDay});
  log.Add(Kind::kResp, 200);
  log.Wait(kDay);
  log.Add(Kind::kResp, 200);  // the first moment is in
  log.Wait(kDay);
  log.Add(Kind::kResp, 200);  // the end is out
  EXPECT_EQ(log.collector.facts().answered, 1u);
  EXPECT_EQ(log.collector.facts().first_seq, 1u);
}

TEST(Collector, TakesWrongTypesAndBrokenJsonWithoutBelievingThem) {
  Log log;
  log.Add(Kind::kDecision, 1, "{", PartType::kDecision);
  log.Add(Kind::kDecision, 1, "[1]", PartType::kDecision);
  log.Add(Kind::kDecision, 1, R"({"policies":{"a":1},"site":7,"found":[],"errors":"x"})",
          PartType::kDecision);
  log.Add(Kind::kResp, 200, R"({"prompt_tokens":-5,"completion_tokens":1e300})");
  log.Add(Kind::kAbuse, 0, R"({"refused_strangers":{"bad":"many","worse":3}})");
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_EQ(facts.unreadable, 2u);
  EXPECT_EQ(facts.decisions.allowed, 3u);
  EXPECT_EQ(facts.by_policy.at("(no policy permits)").allowed, 1u);
  EXPECT_EQ(facts.prompt_tokens, 0u);
  EXPECT_EQ(facts.completion_tokens, 0u);
  EXPECT_EQ(facts.refused_strangers.at("worse"), 3u);
}

TEST(Collector, BoundsItsTables) {
  Log log;
  for (size_t i = 0; i < Collector::kMaxEntries + 10; ++i) {
    const std::string json = R"({"policies":["p)" + std::to_string(i) + R"("]})";
    log.Add(Kind::kDecision, 1, json.c_str(), PartType::kDecision);
  }
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_LE(facts.by_policy.size(), Collector::kMaxEntries + 1);
  EXPECT_EQ(facts.by_policy.at("(others)").allowed, 10u);
  EXPECT_EQ(facts.left_out, 10u);
}

// As the gateway reports a step of a revision.
void Step(Log& log, Kind kind, const std::string& step, const std::string& who, int revision, const char* detail = "") {
  log.policy.fill(static_cast<uint8_t>(revision));
  log.Wait(1'000'000);
  const std::string number = std::to_string(revision);
  const std::string json = R"({"what":"policy revision )" + number + ": " + step + " by " + who +
                           R"(","operation":"policy_)" + step + R"(","subject":")" + who + R"(","argument":"revision )" +
                           number + R"( sha256:00","revision":)" + number + R"(,"detail":")" + detail + R"(","event":1})";
  log.Add(kind, 1, json.c_str());
}

void FirstRevisionThenSecond(Log& log) {
  log.policy.fill(1);
  log.Add(Kind::kConfig, 0, R"({"what":"start","policy_revision":"sha256:01","revision":1})");
  Step(log, Kind::kConfig, "seed", "appliance", 1);
  Step(log, Kind::kAdmin, "draft", "olga", 2);
  Step(log, Kind::kAdmin, "propose", "olga", 2);
  Step(log, Kind::kAdmin, "approve", "paul", 2);
  Step(log, Kind::kConfig, "activate", "paul", 2);
}

TEST(Revisions, ARollbackPutsTheOneBeforeInForceAgain) {
  Log log;
  FirstRevisionThenSecond(log);
  Step(log, Kind::kConfig, "rollback", "olga", 2, "too strict");
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.revisions.size(), 2u);
  const PolicyRevision& first = facts.revisions[0];
  const PolicyRevision& second = facts.revisions[1];
  ASSERT_EQ(first.spans.size(), 2u);
  EXPECT_EQ(first.spans[0].from_us, kStart);
  EXPECT_EQ(first.spans[0].to_us, kStart + 5'000'000);
  EXPECT_NE(first.spans[0].began.find("without approval"), std::string::npos);
  EXPECT_EQ(first.spans[0].ended, "revision 2 was put in force by paul");
  EXPECT_EQ(first.spans[1].from_us, kStart + 6'000'000);
  EXPECT_EQ(first.spans[1].to_us, 0u);
  EXPECT_EQ(second.proposed_by, "olga");
  ASSERT_EQ(second.approvals.size(), 1u);
  EXPECT_EQ(second.approvals[0].who, "paul");
  ASSERT_EQ(second.spans.size(), 1u);
  EXPECT_EQ(second.spans[0].to_us, kStart + 6'000'000);
  EXPECT_EQ(second.spans[0].ended, "rolled back by olga: too strict");
  ASSERT_FALSE(facts.acts.empty());
  EXPECT_EQ(facts.acts.back().operation, "policy_rollback");
  EXPECT_EQ(facts.acts.back().why, "too strict; revision 1 is in force again");
}

TEST(Revisions, WhatWasApprovedBeforeThePeriodIsKnownInIt) {
  Log log({kStart + kDay, kStart + 2 * kDay});
  FirstRevisionThenSecond(log);
  log.Wait(kDay);
  log.Add(Kind::kHeartbeat, 60);
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.revisions.size(), 1u);
  EXPECT_EQ(facts.revisions[0].number, 2u);
  EXPECT_EQ(facts.revisions[0].approvals.size(), 1u);
  EXPECT_TRUE(facts.acts.empty());
}

TEST(Revisions, AStartMayFindAChangeBeforeItIsTold) {
  Log log;
  FirstRevisionThenSecond(log);
  log.policy.fill(1);
  log.Add(Kind::kConfig, 0, R"({"what":"start","policy_revision":"sha256:01","revision":1})");
  Step(log, Kind::kConfig, "rollback", "appliance", 2, "no heartbeat");
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.revisions[0].spans.size(), 2u);
  EXPECT_EQ(facts.revisions[0].spans[1].to_us, 0u);
  ASSERT_EQ(facts.revisions[1].spans.size(), 1u);
  EXPECT_EQ(facts.revisions[1].spans[0].ended, "rolled back by appliance: no heartbeat");
}

TEST(Revisions, SealedRecordsAreSaidToBeMissing) {
  Log log;
  log.policy.fill(1);
  log.AddSealed(Kind::kConfig, 1);
  log.Add(Kind::kDecision, 2, kRefused, PartType::kDecision);
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_TRUE(facts.revisions.empty());
  EXPECT_EQ(facts.sealed_policy_records, 1u);
  EXPECT_EQ(facts.policies_in_force.size(), 1u);
}

TEST(Collector, ReadingsNeverPushAnActOutOfTheReport) {
  Log log;
  for (size_t i = 0; i < Collector::kMaxEntries + 10; ++i) {
    log.Add(Kind::kAdmin, 1, R"({"request":"r","operation":"status","subject":"unix:0","argument":""})");
    log.Add(Kind::kAuditRead, 0, R"({"seq":7,"uid":3})");
  }
  FirstRevisionThenSecond(log);
  log.Add(Kind::kAdmin, 1, R"({"request":"r","operation":"policy_approve","subject":"unix:0","argument":"2"})");
  log.Add(Kind::kRelease, 1, R"({"auditor":"auditor-1","auditor_key":"4036","keys":2,"reason":"case 12","uid":0})");
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_EQ(facts.counted_acts.at({"unix:0", "status"}).done, Collector::kMaxEntries + 10);
  EXPECT_EQ(facts.counted_acts.at({"unix:0", "policy_approve"}).done, 1u);
  EXPECT_EQ(facts.acts.size(), 6u);
  EXPECT_EQ(facts.revisions.size(), 2u);
  EXPECT_EQ(facts.accesses.back().kind, Kind::kRelease);
  EXPECT_EQ(facts.unlisted_reads.by.at("uid 3"), 10u);
  const std::string page = ReportPageHtml({facts, Report(), kStart, "portcullis 0", ""});
  EXPECT_NE(page.find("10 more, from record"), std::string::npos);
  EXPECT_NE(page.find("paul, 2024-10-04 00:00:04 UTC"), std::string::npos);
}

TEST(Collector, ARotatedKeyStoreIsNoPolicy) {
  Log log;
  log.Add(Kind::kConfig, 0, R"({"rotated":"key store","generation":4,"uid":0})");
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_TRUE(facts.policies_in_force.empty());
  EXPECT_TRUE(facts.revisions.empty());
  ASSERT_EQ(facts.acts.size(), 1u);
  EXPECT_EQ(facts.acts[0].operation, "rotate");
  EXPECT_EQ(facts.acts[0].argument, "generation 4");
}

TEST(Collector, AnActThatFailedIsNotDone) {
  Log log;
  log.Add(Kind::kAdmin, 1, R"({"request":"r","operation":"key_issue","subject":"unix:0","argument":"","body":{"principal":"alice"}})");
  log.Add(Kind::kAdmin, 2, R"({"request":"r","operation":"key_issue","subject":"unix:0","act":0,"why":"no room"})");
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.acts.size(), 1u);
  EXPECT_TRUE(facts.acts[0].refused);
  EXPECT_EQ(facts.acts[0].why, "no room");
  EXPECT_EQ(facts.acts[0].argument, "alice");
}

TEST(Collector, SaysWhichFormOfAnActAndToWhom) {
  Log log;
  log.Add(Kind::kHold, 1, R"({"hold":3,"reason":"case 12","uid":0})");
  log.Add(Kind::kHold, 2, R"({"hold":3,"reason":"closed","uid":0})");
  log.Add(Kind::kRelease, 1, R"({"auditor":"auditor-1","auditor_key":"4036c83910f014cb","keys":1,"uid":0})");
  log.Add(Kind::kAuditRead, 0, R"({"what":"report","from":"2026-10-01","to":"","uid":7})");
  log.Add(Kind::kAuditRead, 0, R"({"seq":23,"uid":7})");
  std::vector<std::string> what;
  for (const Access& access : log.collector.facts().accesses) what.push_back(access.what);
  EXPECT_EQ(what, (std::vector<std::string>{"placed hold 3", "lifted hold 3", "to auditor-1 (key 4036c83910f014cb), 1 key",
                                            "report, 2026-10-01 to now", "show"}));
  EXPECT_EQ(log.collector.facts().accesses.back().target_seq, 23u);
}

TEST(Collector, JoinsRefusalsToEpisodes) {
  Log log;
  const char* wrong_keys = R"({"refused_strangers":{"invalid_api_key":30,"bad_request":2},"refused_identified":{}})";
  log.Add(Kind::kAbuse, 0, wrong_keys);
  log.Wait(Collector::kEpisodeGapUs - 1);
  log.Add(Kind::kAbuse, 0, wrong_keys);
  log.Wait(Collector::kEpisodeGapUs);
  log.Add(Kind::kAbuse, 0, R"({"refused_strangers":{},"refused_identified":{"rate_limit_exceeded":5}})");
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.episodes.size(), 2u);
  EXPECT_EQ(facts.episodes[0].strangers, 64u);
  EXPECT_EQ(facts.episodes[0].first_us, kStart);
  EXPECT_EQ(facts.episodes[0].last_us, kStart + Collector::kEpisodeGapUs - 1);
  EXPECT_EQ(facts.episodes[1].identified, 5u);
  const std::string page = ReportPageHtml({facts, Report(), kStart, "portcullis 0", ""});
  EXPECT_NE(page.find("nobody known: wrong or missing key (invalid_api_key)"), std::string::npos);
}

TEST(Collector, TakesTheCallersHomeAndTheModelsName) {
  Log log;
  log.model.fill(7);
  log.Add(Kind::kReq, 0, R"({"operation":"chat","model":"portcullis-nano"})");
  log.Add(Kind::kDecision, 3,
          R"({"treatment":"forwardRedacted","site":"builtin","policies":["p"],
              "found":{"classes":["GovernmentId"],"kinds":{"nl_bsn":1},"subject_jurisdictions":[]},"facts":{"home":"EU"}})",
          PartType::kDecision);
  const PeriodFacts& facts = log.collector.facts();
  EXPECT_EQ(facts.residency.at({"EU (home of the caller)", "GovernmentId", "builtin", "forwardRedacted"}), 1u);
  const std::string page = ReportPageHtml({facts, Report(), kStart, "portcullis 0", ""});
  for (const char* words : {"portcullis-nano", "numbers of identity documents (GovernmentId)",
                            "with the findings taken out", "Dutch citizen number (nl_bsn)"}) {
    EXPECT_NE(page.find(words), std::string::npos) << words;
  }
}

TEST(Collector, MeasuresSilence) {
  Log log;
  log.Add(Kind::kBoot, 10);
  log.Wait(90'000'000);
  log.Add(Kind::kHeartbeat, 10);
  EXPECT_EQ(log.collector.facts().longest_silence_us, 90'000'000u);
}

Report Verified(Verdict verdict) {
  Report report;
  report.verdict = verdict;
  report.origin = "example.org/audit";
  report.records = 3;
  return report;
}

Support SupportOf(const std::vector<Clause>& clauses, std::string_view number) {
  for (const Clause& clause : clauses) {
    if (clause.number == number) return clause.support;
  }
  ADD_FAILURE() << "no clause " << number;
  return Support::kNothingHere;
}

TEST(Clauses, SupportNothingWithoutRecordsAndLessWhenTampered) {
  Log log;
  const auto none = JudgeClauses(log.collector.facts(), Verified(Verdict::kValidSelfAttested));
  for (const Clause& clause : none) EXPECT_EQ(clause.support, Support::kNothingHere) << clause.number;

  log.Add(Kind::kDecision, 2, kRefused, PartType::kDecision);
  const auto good = JudgeClauses(log.collector.facts(), Verified(Verdict::kValidSelfAttested));
  EXPECT_EQ(SupportOf(good, "Art. 5(2)"), Support::kSupports);
  EXPECT_EQ(SupportOf(good, "AU-9, AU-10"), Support::kSupports);
  EXPECT_EQ(SupportOf(good, "AU-6, AU-7"), Support::kInPart);  // nobody has read anything
  const auto bad = JudgeClauses(log.collector.facts(), Verified(Verdict::kTampered));
  EXPECT_EQ(SupportOf(bad, "Art. 5(2)"), Support::kInPart);
  EXPECT_EQ(SupportOf(bad, "AU-9, AU-10"), Support::kInPart);
}

TEST(Clauses, ReviewMeansThatRecordsWereRead) {
  const Report verified = Verified(Verdict::kValidSelfAttested);
  Log log;
  log.Add(Kind::kErase, 1);
  log.Add(Kind::kHold, 1);
  auto clauses = JudgeClauses(log.collector.facts(), verified);
  for (const char* number : {"A.8.15", "AU-6, AU-7", "CC7.3", "45 CFR 164.312(b)"}) {
    EXPECT_EQ(SupportOf(clauses, number), Support::kInPart) << number;
  }
  log.Add(Kind::kAuditRead, 1);
  clauses = JudgeClauses(log.collector.facts(), verified);
  for (const char* number : {"A.8.15", "AU-6, AU-7", "CC7.3", "45 CFR 164.312(b)"}) {
    EXPECT_EQ(SupportOf(clauses, number), Support::kSupports) << number;
  }
  EXPECT_EQ(SupportOf(clauses, "CC7.2"), Support::kInPart);  // no refusal was counted
}

TEST(Clauses, RetentionIsShownByAgeNotByARecordOfToday) {
  Report verified = Verified(Verdict::kValidSelfAttested);
  Log log;
  log.Add(Kind::kRelease, 1);
  const auto retention = [&](std::string_view number) {
    return SupportOf(JudgeClauses(log.collector.facts(), verified), number);
  };
  verified.first_us = kStart;
  verified.last_us = kStart + 182 * kDay;
  for (const char* number : {"Art. 19", "Art. 26", "AU-11", "10.4, 10.5"}) {
    EXPECT_EQ(retention(number), Support::kInPart) << number;
  }
  verified.last_us = kStart + 183 * kDay;
  for (const char* number : {"Art. 19", "Art. 26", "AU-11"}) {
    EXPECT_EQ(retention(number), Support::kSupports) << number;
  }
  EXPECT_EQ(retention("10.4, 10.5"), Support::kInPart);
  verified.last_us = kStart + 365 * kDay;
  EXPECT_EQ(retention("10.4, 10.5"), Support::kSupports);
  verified.erased = 1;
  EXPECT_EQ(retention("AU-11"), Support::kInPart);
}

TEST(ReportPage, AnOverrideIsNoUncleanEnd) {
  Log log;
  log.Add(Kind::kRecovery, 0);
  log.Add(Kind::kRecovery, 1);
  log.Add(Kind::kRecovery, 2);
  const PeriodFacts& facts = log.collector.facts();
  ASSERT_EQ(facts.interruptions.size(), 3u);
  EXPECT_NE(facts.interruptions[0].words.find("unclean end"), std::string::npos);
  EXPECT_NE(facts.interruptions[1].words.find("unclean end"), std::string::npos);
  EXPECT_EQ(facts.interruptions[2].words.find("unclean"), std::string::npos);
  EXPECT_NE(facts.interruptions[2].words.find("overridden by two officers"), std::string::npos);
  EXPECT_EQ(facts.overrides, 1u);
  const Report verified = Verified(Verdict::kValidWithRecovery);
  const std::string page = ReportPageHtml({facts, verified, kStart, "portcullis 0", ""});
  EXPECT_NE(page.find("2 unclean ends and 1 override of a refused start"), std::string::npos);
  EXPECT_NE(page.find("or of an override"), std::string::npos);
}

TEST(ReportPage, AnOverrideNamesItsOfficersAndItsReason) {
  Log log;
  Override statement{"example.org/old", 7, {}, "example.org/new", "the disk was restored"};
  const std::string note = OverrideText(statement) + "\n\u2014 olga AAAAAAAA\n\u2014 paul AAAAAAAA\n";
  ASSERT_TRUE(ParseNote(note)) << ParseNote(note).error().message;
  log.Add(Kind::kRecovery, 2, note.c_str());
  const std::string& words = log.collector.facts().interruptions.at(0).words;
  EXPECT_EQ(words, "a refused start was overridden by olga and paul: the disk was restored; the log example.org/old "
                   "with 7 records was set aside");
}

TEST(ReportPage, OnlyAWitnessVouchesForTheWholeLog) {
  Log log;
  const PeriodFacts& facts = log.collector.facts();
  const auto page = [&](const Report& verified) { return ReportPageHtml({facts, verified, kStart, "portcullis 0", ""}); };
  const std::string alone = page(Verified(Verdict::kValidSelfAttested));
  EXPECT_EQ(alone.find("whole and unchanged"), std::string::npos);
  EXPECT_NE(alone.find("no older copy was put back is not proved"), std::string::npos);
  Report seen = Verified(Verdict::kValidWitnessed);
  seen.witnesses.push_back({"w1.example/w", 3, 1'700'000'000});
  EXPECT_NE(page(seen).find("w1.example/w saw its first 3 records on 2023-11-14"), std::string::npos);
}

TEST(EscapeHtml, LeavesNothingThatActs) {
  EXPECT_EQ(EscapeHtml("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
  EXPECT_EQ(EscapeHtml("a\x1b[31m\r\nb"), "a\xE2\x90\x9B[31m\xE2\x90\x8D\nb");
  EXPECT_EQ(EscapeHtml(std::string_view("\0", 1)), "\xE2\x90\x80");
  EXPECT_EQ(EscapeHtml("x\xE2\x80\xAEy"), "x\xEF\xBF\xBDy");       // right-to-left override
  EXPECT_EQ(EscapeHtml("\xC0\xBC\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(EscapeHtml("Müller 東京 🦊"), "Müller 東京 🦊");
}

TEST(ReportPage, SaysTheVerdictAndEscapesTheLog) {
  Log log;
  log.Add(Kind::kAdmin, 1, R"({"subject":"<img src=x onerror=alert(1)>","operation":"keys.create","argument":"a"})");
  log.Add(Kind::kDecision, 2, kRefused, PartType::kDecision);
  const Report verified = Verified(Verdict::kTampered);
  const ReportDocument document{log.collector.facts(), verified, kStart, "portcullis 0", "Example & Co"};
  const std::string page = ReportPageHtml(document);
  EXPECT_NE(page.find("TAMPERED"), std::string::npos);
  EXPECT_NE(page.find("Do not rely on this report"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("&lt;img src=x onerror=alert(1)&gt;"), std::string::npos);
  EXPECT_NE(page.find("Example &amp; Co"), std::string::npos);
  EXPECT_NE(page.find("gdpr-ch5"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);

  const auto json = boost::json::parse(ReportPageJson(document)).as_object();
  EXPECT_EQ(json.at("schema").as_string(), "portcullis.audit.report/1");
  EXPECT_EQ(json.at("verifier").at("verdict").as_string(), "TAMPERED");
  EXPECT_EQ(json.at("residency").as_array().size(), 2u);
  EXPECT_EQ(json.at("acts").at(0).at("who").as_string(), "<img src=x onerror=alert(1)>");
}

}  // namespace
}  // namespace portcullis::audit
