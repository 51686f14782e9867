#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "audit/report/collect.h"
#include "audit/report/document.h"
#include "tests/audit/report/sample_log.h"

namespace portcullis::audit {
namespace {

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
  EXPECT_EQ(facts.residency.at({"EU", "personal", "", "", "", "refused"}), 1u);
  EXPECT_EQ(facts.residency.at({"US", "personal", "", "", "", "refused"}), 1u);
  EXPECT_EQ(facts.residency.at({"(not stated)", "(nothing found)", "local", "", "unknown", "redact"}), 1u);
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

TEST(Revisions, WhatSomebodyWroteIsNoFurtherLineOfTheHistory) {
  Log log;
  FirstRevisionThenSecond(log);
  Step(log, Kind::kConfig, "rollback", R"(olga\nBegan: x)", 2, R"(strict.\nBegan: put in force by paul)");
  const PolicyRevision& second = log.collector.facts().revisions[1];
  EXPECT_EQ(second.spans[0].ended, "rolled back by olga Began: x: strict. Began: put in force by paul");
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
  EXPECT_NE(page.find("paul, <time>2024-10-04 00:00:04 UTC</time>"), std::string::npos);
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
  EXPECT_EQ(facts.residency.at({"EU (home of the caller)", "GovernmentId", "builtin", "", "unknown", "forwardRedacted"}), 1u);
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

}  // namespace
}  // namespace portcullis::audit
