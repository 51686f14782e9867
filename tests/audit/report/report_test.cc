#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <map>
#include <string>

#include "audit/note.h"
#include "audit/override.h"
#include "audit/report/clauses.h"
#include "audit/report/countries.h"
#include "audit/report/document.h"
#include "audit/report/escape.h"
#include "tests/audit/report/sample_log.h"

namespace portcullis::audit {
namespace {

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
  EXPECT_EQ(page(Verified(Verdict::kValidWithRecovery)).find("whole and unchanged"), std::string::npos);
  EXPECT_NE(alone.find("no older copy was put back is not proved"), std::string::npos);
  Report seen = Verified(Verdict::kValidWitnessed);
  seen.witnesses.push_back({"w1.example/w", 3, 1'700'000'000});
  EXPECT_NE(page(seen).find("w1.example/w saw its first 3 records on 2023-11-14"), std::string::npos);
}

TEST(Countries, AreTakenFromThePlaceOrWhatItLiesIn) {
  EXPECT_EQ(CountryOf("FR", {"DE", "EEA"}), "FR");
  EXPECT_EQ(CountryOf("local", {"DE", "EEA", "adequate"}), "DE");
  EXPECT_EQ(CountryOf("US-DPF", {"US", "adequate"}), "US");
  EXPECT_EQ(CountryOf("border", {"FR", "DE"}), "DE or FR");
  for (const char* place : {"", "local", "EU", "ZZ", "de", "A"}) EXPECT_EQ(CountryOf(place, {"adequate", "EU"}), "unknown") << place;
  EXPECT_EQ(CountryWords("ZW"), "Zimbabwe (ZW)");
  EXPECT_EQ(CountryWords("AD"), "Andorra (AD)");
  EXPECT_EQ(CountryWords("DE or FR"), "DE or FR");
  EXPECT_EQ(CountryWords("unknown"), "unknown");
}

std::string DecisionAt(const char* site, const char* place) {
  return R"({"treatment":"forward","site":")" + std::string(site) + R"(","policies":["p"],"found":{"classes":["Health"],)" +
         R"("subject_jurisdictions":["EU"]})" + place + "}";
}

TEST(ReportPage, ResidencyNamesTheCountryOfTheSite) {
  Log log;
  const auto add = [&log](uint16_t outcome, const char* site, const char* place) {
    log.Add(Kind::kDecision, outcome, DecisionAt(site, place).c_str(), PartType::kDecision);
  };
  add(1, "paris", R"(,"place":{"processing":"FR","in":["EEA","adequate"]})");
  add(1, "here", R"(,"place":{"processing":"local","in":["DE","EEA"]})");
  add(1, "there", R"(,"place":{"processing":"local","in":["adequate"]})");
  add(1, "old", "");
  add(2, "abroad", R"(,"place":{"processing":"US","in":[]})");
  add(1, "odd", R"(,"place":{"processing":7,"in":"DE"})");
  const Report verified = Verified(Verdict::kValidSelfAttested);
  const ReportDocument document{log.collector.facts(), verified, kStart, "portcullis 0", ""};
  std::map<std::string, std::string> countries;
  const auto json = boost::json::parse(ReportPageJson(document));
  for (const auto& row : json.at("residency").as_array()) {
    countries[std::string(row.at("site").as_string())] =
        std::string(row.at("country").as_string()) + " at " + std::string(row.at("place").as_string());
  }
  EXPECT_EQ(countries, (std::map<std::string, std::string>{{"paris", "FR at FR"},
                                                           {"here", "DE at local"},
                                                           {"there", "unknown at local"},
                                                           {"old", "unknown at "},
                                                           {"odd", "unknown at "},
                                                           {"", " at "}}));
  const std::string page = ReportPageHtml(document);
  EXPECT_NE(page.find("<th scope=\"col\">Country</th>"), std::string::npos);
  EXPECT_NE(page.find("<td>France (FR)</td>"), std::string::npos);
  EXPECT_NE(page.find("<td>Germany (DE)\nplace: local</td>"), std::string::npos);
  EXPECT_NE(page.find("<td>unknown\nplace: local</td>"), std::string::npos);
  EXPECT_NE(page.find("<td>unknown</td>"), std::string::npos);
  EXPECT_EQ(page.find("United States"), std::string::npos);  // it was refused
  EXPECT_NE(page.find("Where the country is unknown"), std::string::npos);

  Log known;
  known.Add(Kind::kDecision, 1, DecisionAt("paris", R"(,"place":{"processing":"FR","in":[]})").c_str(), PartType::kDecision);
  const std::string all_known = ReportPageHtml({known.collector.facts(), verified, kStart, "portcullis 0", ""});
  EXPECT_EQ(all_known.find("Where the country is unknown"), std::string::npos);
}

TEST(EscapeHtml, LeavesNothingThatActs) {
  EXPECT_EQ(EscapeHtml("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
  EXPECT_EQ(EscapeHtml("a\x1b[31m\r\nb"), "a\xE2\x90\x9B[31m\xE2\x90\x8D\nb");
  EXPECT_EQ(EscapeHtml(std::string_view("\0", 1)), "\xE2\x90\x80");
  EXPECT_EQ(EscapeHtml("x\xE2\x80\xAEy"), "x\xEF\xBF\xBDy");       // right-to-left override
  EXPECT_EQ(EscapeHtml("x\xE2\x80\xA8y\xE2\x80\xA9"), "x\xEF\xBF\xBDy\xEF\xBF\xBD");  // line, paragraph
  EXPECT_EQ(EscapeHtml("\xC0\xBC\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(EscapeHtml("Müller 東京 🦊"), "Müller 東京 🦊");
}

TEST(CellHtml, KeepsTimesTogetherAndBreaksLongWords) {
  EXPECT_EQ(CellHtml("paul, 2026-11-22 08:30:00 UTC\nto 2026-11-23"),
            "paul, <time>2026-11-22 08:30:00 UTC</time>\nto <time>2026-11-23</time>");
  EXPECT_EQ(CellHtml("2026-11-222 x2026-11-22 2026-11-2"), "2026-11-222 x2026-11-22 2026-11-2");
  EXPECT_EQ(CellHtml("with ordinary words"), "with ordinary words");
  EXPECT_EQ(CellHtml("hyphens-break-words-of-themselves, and sha256:0123456789ab"),
            "hyphens-break-words-of-themselves, and sha256:0123456789ab");
  EXPECT_EQ(CellHtml("012345678901234567890123 0123456789012345678901234\nok"),
            "012345678901234567890123 <span>0123456789012345678901234</span>\nok");
  EXPECT_EQ(CellHtml("<script>alert(1)</script>&<script>"), "<span>&lt;script&gt;alert(1)&lt;/script&gt;&amp;&lt;script&gt;</span>");
  EXPECT_EQ(CellHtml("  two  blanks "), "  two  blanks ");
  EXPECT_EQ(CellHtml(""), "");
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
