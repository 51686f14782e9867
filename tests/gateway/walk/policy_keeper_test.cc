// The policy in force as the gateway keeps it: seeded, swapped while decisions are made, withheld
// sites, probation by behaviour, what a restart finds; and the facts that the configuration states.
#include "gateway/decide/policy_keeper.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "gateway/decide/networks.h"
#include "gateway/decide/officer_key.h"
#include "gateway/decide/policy_events.h"
#include "gateway/decide/site_facts.h"
#include "gateway/state/sqlite_store.h"

namespace portcullis::gateway {
namespace {

namespace fs = std::filesystem;
namespace revise = policy::revise;
using testing::HasSubstr;

class MovedClock final : public Clock {
 public:
  int64_t MonotonicNs() const override { return seconds * 1'000'000'000; }
  int64_t UnixSeconds() const override { return seconds; }
  std::atomic<int64_t> seconds{1'800'000'000};
};

SiteFacts FactsIn(const std::string& place) {
  SiteFacts facts;
  facts.processing = facts.storage = facts.operator_law = facts.key_holder = facts.model_origin =
      place;
  facts.dpa_signed = facts.zero_retention = true;
  return facts;
}

class PolicyKeeperTest : public testing::Test {
 protected:
  PolicyKeeperTest() {
    folder_ = fs::temp_directory_path() / ("portcullis-keeper-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
    state_ = std::move(OpenSqliteStore((folder_ / "state.db").string()).value());
    config_.policy = fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default";
    config_.revisions = folder_ / "policy.db";
    config_.policy_key = folder_ / "policy.key";
    config_.probation.min_calls = 20;
    for (const char* name : {"olga", "paul"}) {
      EXPECT_TRUE(MakeOfficerKey(folder_ / name));
      config_.officers.push_back(
          {name, folder_ / (std::string(name) + ".pub"), {"propose", "approve", "apply"}});
    }
    config_.sites.push_back({"builtin", folder_ / "e.sock", std::nullopt});
  }
  ~PolicyKeeperTest() override {
    state_.reset();
    fs::remove_all(folder_);
  }

  std::unique_ptr<PolicyKeeper> Open() {
    auto material = PolicyMaterial::Load(config_);
    EXPECT_TRUE(material) << material.error().message;
    auto keeper =
        std::make_unique<PolicyKeeper>(config_, std::move(material.value()), *state_, clock_);
    const auto opened = keeper->Open();
    EXPECT_TRUE(opened) << opened.error().message;
    return keeper;
  }

  revise::SignedStatement Sign(PolicyKeeper& keeper, revise::Act act, uint64_t number,
                               const revise::Hash& content, const std::string& officer) {
    revise::Statement statement;
    statement.act = act;
    statement.store = keeper.store().store_id();
    statement.revision = number;
    statement.content = content;
    statement.officer = officer;
    statement.issued = clock_.UnixSeconds();
    statement.expires = statement.issued + 86400;
    return revise::SignStatement(statement, *LoadSigner(folder_ / officer, kOfficerKeyType).value(),
                                 false);
  }

  void PutInForce(PolicyKeeper& keeper, const std::string& more) {
    revise::Content content = revise::ReadContent(config_.policy).value();
    content.tests.clear();
    content.facts = keeper.facts();
    content.policies.push_back({"site.cedar", more});
    const uint64_t number = keeper.store().state().NextNumber();
    const revise::Hash hash = revise::HashOf(content);
    const auto done = keeper.Change([&](revise::RevisionStore& store) -> policy::Result<void> {
      BOOST_OUTCOME_TRY(
          store.Propose(Sign(keeper, revise::Act::kPropose, number, hash, "olga"), content));
      BOOST_OUTCOME_TRY(store.Approve(Sign(keeper, revise::Act::kApprove, number, hash, "paul")));
      return store.Apply(Sign(keeper, revise::Act::kApply, number, hash, "paul"), 3600);
    });
    EXPECT_TRUE(done) << done.error().message;
  }

  void Rollback(PolicyKeeper& keeper, uint64_t number) {
    const revise::State state = keeper.store().state();
    const auto done = keeper.Change([&](revise::RevisionStore& store) {
      return store.Rollback(
          Sign(keeper, revise::Act::kRollback, number, state.Find(number)->content, "paul"),
          "test");
    });
    EXPECT_TRUE(done) << done.error().message;
  }

  enum class Fate { kAllowed, kRefused, kErrored };

  // `each` calls of each of so many callers, half of them of another tenant.
  static void Calls(PolicyKeeper& keeper, int callers, int each, Fate fate = Fate::kAllowed) {
    const auto snapshot = keeper.snapshot().Load();
    for (int i = 0; i < callers * each; ++i) {
      const int caller = i % callers;
      snapshot->callers.Count(caller % 2 == 0 ? "default" : "other", "user" + std::to_string(caller),
                              fate != Fate::kAllowed, fate == Fate::kErrored);
    }
  }

  static revise::DecisionFacts PlainCall() {
    revise::DecisionFacts facts;
    facts.principal = "alice";
    facts.home = facts.device_jurisdiction = "DE";
    facts.sites = {"builtin"};
    return facts;
  }

  static constexpr const char* kClosed =
      "@id(\"closed\") forbid(principal, action in Gw::Action::\"transfer\", resource);";

  fs::path folder_;
  Config config_;
  MovedClock clock_;
  std::unique_ptr<Store> state_;
};

TEST_F(PolicyKeeperTest, AnEmptyStoreIsSeededFromTheFolderAndTheLogOwesARecord) {
  auto keeper = Open();
  EXPECT_EQ(keeper->snapshot().Load()->number, 1u);
  EXPECT_THAT(keeper->snapshot().Load()->revision, testing::MatchesRegex("sha256:[0-9a-f]{12}"));
  auto owed = keeper->Unnoted().value();
  ASSERT_EQ(owed.size(), 1u);
  const audit::Event event = PolicyEvent(owed[0]);
  EXPECT_EQ(event.kind, audit::Kind::kConfig);
  EXPECT_EQ(event.policy_hash, keeper->snapshot().Load()->hash);
  EXPECT_THAT(event.parts.at(0).bytes, HasSubstr("policy revision 1: seed by appliance"));
  ASSERT_TRUE(keeper->MarkNoted(1));
  EXPECT_TRUE(keeper->Unnoted().value().empty());
  keeper.reset();
  EXPECT_TRUE(Open()->Unnoted().value().empty());
}

TEST_F(PolicyKeeperTest, EachDecisionUnderASwapBelongsToOneRevision) {
  auto keeper = Open();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> decided{0};
  std::vector<std::thread> cores;
  for (int i = 0; i < 3; ++i) {
    cores.emplace_back([&] {
      while (!stop) {
        const auto snapshot = keeper->snapshot().Load();
        const auto outcome = snapshot->compiled->Decide(PlainCall());
        // Odd revisions allow, even ones refuse; the hash is that of the compiled set itself.
        const bool expected = snapshot->number % 2 == 1;
        if (outcome.allowed() != expected || snapshot->hash != snapshot->compiled->hash) ++wrong;
        ++decided;
      }
    });
  }
  for (uint64_t number = 2; number <= 20; ++number) {
    const uint64_t before = decided;
    PutInForce(*keeper, number % 2 == 0 ? kClosed : "// open " + std::to_string(number));
    EXPECT_EQ(keeper->snapshot().Load()->number, number);
    while (decided < before + 50) std::this_thread::yield();
    const revise::State state = keeper->store().state();
    ASSERT_TRUE(keeper->store().Keep(
        Sign(*keeper, revise::Act::kKeep, number, state.Find(number)->content, "olga")));
  }
  stop = true;
  for (std::thread& core : cores) core.join();
  EXPECT_EQ(wrong, 0u);
}

TEST_F(PolicyKeeperTest, ARevisionThatRefusesTooMuchOrErrsIsRolledBack) {
  auto keeper = Open();
  Calls(*keeper, 10, 3);
  PutInForce(*keeper, kClosed);
  Calls(*keeper, 9, 3, Fate::kRefused);
  EXPECT_FALSE(keeper->Watch(false).value());  // too few callers to judge
  Calls(*keeper, 10, 1, Fate::kRefused);
  EXPECT_TRUE(keeper->Watch(false).value());
  EXPECT_EQ(keeper->snapshot().Load()->number, 1u);
  EXPECT_THAT(keeper->store().state().Find(2)->detail,
              HasSubstr("100 % of the calls of 10 callers were refused, before it were 0 %"));

  PutInForce(*keeper, "// errs");
  Calls(*keeper, 10, 20);
  Calls(*keeper, 10, 1, Fate::kErrored);
  EXPECT_TRUE(keeper->Watch(false).value());
  EXPECT_THAT(keeper->store().state().Find(3)->detail, HasSubstr("could not be evaluated"));

  PutInForce(*keeper, "// no log");
  EXPECT_FALSE(keeper->Watch(false).value());
  EXPECT_TRUE(keeper->Watch(true).value());
  EXPECT_THAT(keeper->store().state().Find(4)->detail, HasSubstr("audit log"));
}

TEST_F(PolicyKeeperTest, OneCallerDoesNotEndAProbationByRefusalsNorByErrors) {
  auto keeper = Open();
  Calls(*keeper, 10, 3);
  PutInForce(*keeper, kClosed);
  for (int i = 0; i < 1000; ++i) {
    keeper->snapshot().Load()->callers.Count("default", "mallory", true, true);
  }
  EXPECT_FALSE(keeper->Watch(false).value());  // alone
  Calls(*keeper, 10, 3);
  EXPECT_FALSE(keeper->Watch(false).value());  // among others, whose calls go through
  EXPECT_EQ(keeper->snapshot().Load()->number, 2u);
}

TEST_F(PolicyKeeperTest, AnUnknownPastDoesNotAccuse) {
  auto keeper = Open();
  Calls(*keeper, 1, 2);  // nearly nothing is known of revision 1
  PutInForce(*keeper, "// normal");
  Calls(*keeper, 10, 3);
  Calls(*keeper, 10, 3, Fate::kRefused);
  EXPECT_FALSE(keeper->Watch(false).value());
  keeper.reset();
  keeper = Open();
  Calls(*keeper, 10, 3);
  Calls(*keeper, 10, 3, Fate::kRefused);
  EXPECT_FALSE(keeper->Watch(false).value());
  EXPECT_EQ(keeper->snapshot().Load()->number, 2u);
}

TEST_F(PolicyKeeperTest, ARestartDuringAProbationRemembersWhatWasNormalBefore) {
  auto keeper = Open();
  Calls(*keeper, 10, 3);
  Calls(*keeper, 10, 1, Fate::kRefused);  // 25 % are refused here at all times
  PutInForce(*keeper, "// normal");
  keeper.reset();
  keeper = Open();
  Calls(*keeper, 10, 6);
  Calls(*keeper, 10, 4, Fate::kRefused);
  EXPECT_FALSE(keeper->Watch(false).value());  // 40 %
  Calls(*keeper, 10, 10, Fate::kRefused);
  EXPECT_TRUE(keeper->Watch(false).value());  // 70 %
  EXPECT_THAT(keeper->store().state().Find(2)->detail, HasSubstr("before it were 25 %"));
}

TEST_F(PolicyKeeperTest, ADeadlineThatPassedWhileTheProcessWasDownCounts) {
  PutInForce(*Open(), kClosed);
  EXPECT_EQ(Open()->snapshot().Load()->number, 2u);
  clock_.seconds += 3600;
  EXPECT_EQ(Open()->snapshot().Load()->number, 1u);
}

TEST_F(PolicyKeeperTest, ASiteWhoseFactsWereChangedIsNotUsedUntilTheyAreApproved) {
  config_.sites.push_back({"cloud", folder_ / "c.sock", FactsIn("FR")});
  {
    auto keeper = Open();
    EXPECT_TRUE(keeper->snapshot().Load()->withheld.empty());
  }
  config_.sites.back().facts = FactsIn("US");
  auto keeper = Open();
  EXPECT_THAT(keeper->snapshot().Load()->withheld, testing::ElementsAre("cloud"));
  EXPECT_THAT(keeper->Complaints().at(0), HasSubstr("site `cloud` is not used"));
  PutInForce(*keeper, "// with the new facts");
  EXPECT_TRUE(keeper->snapshot().Load()->withheld.empty());
  Rollback(*keeper, 2);
  EXPECT_THAT(keeper->snapshot().Load()->withheld, testing::ElementsAre("cloud"));
}

TEST_F(PolicyKeeperTest, WithoutAnyGoodRevisionEverythingIsRefused) {
  { auto keeper = Open(); }
  fs::remove(config_.revisions);
  auto keeper = Open();
  EXPECT_EQ(keeper->snapshot().Load()->compiled, nullptr);
  EXPECT_EQ(keeper->snapshot().Load()->revision, "none");
  EXPECT_THAT(keeper->Complaints().at(0), HasSubstr("an old copy"));
}

TEST_F(PolicyKeeperTest, AFolderStillDoesForDevelopment) {
  config_.revisions.clear();
  auto keeper = Open();
  EXPECT_FALSE(keeper->has_store());
  EXPECT_EQ(keeper->snapshot().Load()->number, 0u);
  EXPECT_TRUE(keeper->Reload());
  EXPECT_FALSE(keeper->Watch(true).value());
}

TEST_F(PolicyKeeperTest, OfficersWithOneKeyAreRefused) {
  config_.officers[1].key = config_.officers[0].key;
  EXPECT_THAT(PolicyMaterial::Load(config_).error().message, HasSubstr("the same key"));
}

TEST(SiteFactsTest, WithoutKnowingWhatWasApprovedNoSiteIsUsed) {
  std::vector<SiteConfig> sites{{"builtin", "b.sock", std::nullopt}, {"cloud", "c.sock", FactsIn("FR")}};
  EXPECT_THAT(ChangedSites(std::nullopt, "", sites), testing::ElementsAre("builtin", "cloud"));
  EXPECT_TRUE(ChangedSites("", "", sites).empty());
}

TEST(SiteFactsTest, BecomeEntitiesThatTheSchemaTakes) {
  Config config;
  config.sites.push_back({"cloud", "c.sock", FactsIn("FR")});
  config.sites.back().facts->tia_valid_until = "2027-01-31";
  config.sites.back().facts->transfer_tool = "scc";
  config.jurisdictions.push_back({"local", {"DE"}});
  revise::Content content =
      revise::ReadContent(fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default").value();
  content.facts = FactsOf(config);
  const auto compiled = revise::Compiled::Make(content);
  ASSERT_TRUE(compiled) << compiled.error().message;
  EXPECT_NE(compiled.value()->entities.Find({"Gw::Backend", "cloud"}), nullptr);
  EXPECT_EQ(compiled.value()->entities.Find({"Gw::Jurisdiction", "local"})->parents.size(), 2u);
  config.sites.back().facts->tia_valid_until = "soon";
  content.facts = FactsOf(config);
  EXPECT_FALSE(revise::Compiled::Make(content));
  EXPECT_EQ(FactsOf(Config{}), "");
}

TEST(NetworksTest, TheNarrowestRangeCounts) {
  NetworkConfig wide{"10.0.0.0/8", "office", "", true, false};
  NetworkConfig narrow{"10.20.0.0/16", "ministry", "KR", true, true};
  NetworkConfig six{"fd00::/8", "lab", "", false, false};
  const Networks networks({wide, narrow, six});
  const auto zone = [&](const char* address) {
    const auto* found = networks.Find(boost::asio::ip::make_address(address));
    return found ? found->zone : std::string("none");
  };
  EXPECT_EQ(zone("10.1.2.3"), "office");
  EXPECT_EQ(zone("10.20.255.1"), "ministry");
  EXPECT_EQ(zone("10.21.0.1"), "office");
  EXPECT_EQ(zone("fd12::1"), "lab");
  EXPECT_EQ(zone("192.168.0.1"), "none");
  EXPECT_EQ(zone("::ffff:10.1.2.3"), "office");
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "x", "fd00::/129"}) {
    EXPECT_FALSE(CheckRange(bad)) << bad;
  }
}

}  // namespace
}  // namespace portcullis::gateway
