// The comparison of policy sets against calls that it did not choose itself.
#include <gtest/gtest.h>

#include <random>

#include "policy/revise/diff.h"
#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

constexpr int64_t kNow = 1'800'000'000'000;

// Rules of random comparisons joined at random, and random calls around the same values: a call
// that is decided differently is never answered with "none" unless it is said what was not
// compared.
class RandomRules {
 public:
  explicit RandomRules(uint32_t seed) : random_(seed) {}

  std::string Condition(int depth) {
    if (depth == 0 || Below(4) == 0) return Comparison();
    const std::string left = Condition(depth - 1);
    const std::string right = Condition(depth - 1);
    switch (Below(4)) {
      case 0:
        return "(" + left + " || " + right + ")";
      case 1:
        return "!(" + left + ")";
      case 2:
        return "(if " + left + " then " + right + " else " + Comparison() + ")";
      default:
        return "(" + left + " && " + right + ")";
    }
  }

  DecisionFacts Call() {
    DecisionFacts facts;
    facts.principal = Pick({"mallory", "bob", "eve"});
    facts.workload = Below(4) == 0;
    facts.home = facts.device_jurisdiction = Pick({"DE", "FR", "US", "CN", "local"});
    facts.departments = {Pick({"hr", "research", "none"})};
    facts.clearance = Below(6) - 1;
    facts.purpose = Pick({"hr", "coding", "other"});
    facts.sites = {"builtin"};
    facts.detected = {Pick({"Contact", "Network", "Health"})};
    if (Below(3) == 0) facts.detected.clear();
    facts.subject = {Pick({"DE", "FR", "US"})};
    if (Below(3) == 0) facts.subject.push_back(Pick({"AT", "CN"}));
    facts.subjects = facts.subjects_ytd = Pick<int64_t>({0, 1, 9, 10, 11, 99, 100, 101});
    facts.top_severity = Below(4);
    facts.scan_complete = Below(8) != 0;
    facts.zone = Pick({"dmz", "office"});
    facts.device_managed = Below(2) == 0;
    facts.client_ip = Pick({"10.1.2.3", "10.2.0.1", "192.0.2.9"});
    if (Below(2) == 0) facts.legal_basis = Pick({"art9-2-h", "consent"});
    facts.now_ms = kNow + Below(3) * int64_t{365} * 86'400'000;
    return facts;
  }

 private:
  int Below(int limit) { return static_cast<int>(random_() % static_cast<uint32_t>(limit)); }
  template <class T = std::string>
  T Pick(const std::vector<T>& values) {
    return values[random_() % values.size()];
  }

  std::string Comparison() {
    const std::string order = Pick({"<", "<=", ">", ">=", "==", "!="});
    const std::string number = Pick({"2", "10", "100"});
    switch (Below(14)) {
      case 0:
        return R"(principal == Gw::User::")" + Pick({"mallory", "bob"}) + "\"";
      case 1:
        return R"(principal in Gw::Department::")" + Pick({"hr", "research"}) + "\"";
      case 2:
        return R"(principal.home in Gw::Jurisdiction::")" + Pick({"EEA", "FR", "US"}) + "\"";
      case 3:
        return "principal.clearance " + order + " " + number;
      case 4:
        return number + " " + order + " context.subjects";
      case 5:
        return "context.topSeverity + context.subjectsYtd " + order + " " + number;
      case 6:
        return R"(context.subject.contains(Gw::Jurisdiction::")" + Pick({"DE", "FR"}) + "\")";
      case 7:
        return R"(context.subject.containsAll([Gw::Jurisdiction::"FR", Gw::Jurisdiction::")" +
               Pick({"AT", "CN"}) + "\"])";
      case 8:
        return R"(context["detected"].contains(Gw::DataClass::")" + Pick({"Contact", "Health"}) +
               "\")";
      case 9:
        return R"(context.zone == Gw::Zone::"dmz")";
      case 10:
        return R"(context.clientIp.isInRange(ip("10.1.0.0/16")))";
      case 11:
        return R"((context has legalBasis && context.legalBasis like "art*"))";
      case 12:
        return R"(context.now > datetime("2028-01-01"))";
      default:
        return Pick({"context.scanComplete", "context.device.managed",
                     R"(context.purpose == Gw::Purpose::"hr")", "principal is Gw::Workload"});
    }
  }

  std::mt19937 random_;
};

#ifdef PORTCULLIS_SANITIZED
constexpr uint32_t kRules = 4;  // four seconds each
#else
constexpr uint32_t kRules = 16;
#endif

TEST(Diff, NoRandomRuleChangesACallUnsaid) {
  const Content content = DefaultContent();
  const auto before = Compiled::Make(content).value();
  size_t found = 0;
  for (uint32_t seed = 1; seed <= kRules; ++seed) {
    RandomRules random(seed);
    const Content draft = DefaultContent(
        "@id(\"new\") forbid(principal, action in Gw::Action::\"transfer\", "
        "resource) when { " +
        random.Condition(3) + " };");
    const auto after = Compiled::Make(draft);
    if (!after) continue;  // an expression that the strict validator knows to be impossible
    size_t differing = 0;
    for (int i = 0; i < 1'000; ++i) {
      const DecisionFacts facts = random.Call();
      differing += before->Decide(facts).treatment != after.value()->Decide(facts).treatment;
    }
    const DiffReport report = Compare({content, *before}, {draft, *after.value()}, kNow);
    found += report.changed > 0;
    if (differing == 0) continue;
    EXPECT_TRUE(report.changed > 0 || !report.not_compared.empty())
        << draft.policies.back().text << "\n"
        << ToText(report);
  }
  EXPECT_GT(found, kRules / 2);
}

}  // namespace
}  // namespace portcullis::policy::revise
