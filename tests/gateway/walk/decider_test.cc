// The treatment ladder over the shipped policy set, with identities proved for real.
#include "gateway/decide/decider.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "gateway/identify/identifier.h"
#include "gateway/identify/issue_key.h"
#include "gateway/record/events.h"
#include "gateway/state/sqlite_store.h"

namespace portcullis::gateway {
namespace {

namespace fs = std::filesystem;

class DeciderTest : public testing::Test {
 protected:
  DeciderTest() {
    folder_ = fs::temp_directory_path() / ("portcullis-decider-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
    store_ = std::move(OpenSqliteStore((folder_ / "state.db").string()).value());
    hasher_.emplace(std::move(KeyHasher::FromFile((folder_ / "pepper").string()).value()));
    Tenant tenant;
    tenant.id = "default";
    EXPECT_TRUE(store_->PutTenant(tenant));
    Principal principal;
    principal.id = "alice";
    principal.tenant = "default";
    principal.roles = {"staff"};
    EXPECT_TRUE(store_->PutPrincipal(principal));
    peer_.address = boost::asio::ip::make_address("10.1.2.3");
  }
  ~DeciderTest() override {
    store_.reset();
    fs::remove_all(folder_);
  }

  Identity Alice() {
    auto issued = IssueKey(*store_, *hasher_, clock_, {.principal = "alice"});
    const auto& token = issued.value().token;
    const std::string header =
        "Bearer " + std::string(reinterpret_cast<const char*>(token.data()), token.size());
    const Identifier identifier(*store_, *hasher_, clock_, {});
    const std::string_view fields[] = {header};
    return identifier.ByBearer(fields).value();
  }

  Decision Ask(std::shared_ptr<const PolicySnapshot> policy, const std::string& text) {
    Snapshot<PolicySnapshot> snapshot(std::move(policy));
    const Decider decider(snapshot, clock_, {.zone = "intranet", .jurisdiction = "EU"});
    boost::json::array strings;
    strings.emplace_back(text);
    const ScanResult found = ScanStrings(strings, policy::BuiltinDetectors());
    const std::string sites[] = {"builtin"};
    return decider.DecideForward(Alice(), peer_, found, "other", sites);
  }

  static std::shared_ptr<const PolicySnapshot> Shipped() {
    auto loaded = PolicySnapshot::Load(fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default");
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded.value();
  }

  Result<std::shared_ptr<const PolicySnapshot>> Own(const std::string& policy) {
    const fs::path set = folder_ / "set";
    fs::create_directories(set);
    for (const char* name : {"entities.json", "schema.cedarschema"}) {
      fs::copy(fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default" / name, set,
               fs::copy_options::overwrite_existing);
    }
    std::ofstream(set / "policy.cedar") << policy;
    return PolicySnapshot::Load(set);
  }

  fs::path folder_;
  SystemClock clock_;
  std::unique_ptr<Store> store_;
  std::optional<KeyHasher> hasher_;
  Peer peer_;
};

TEST_F(DeciderTest, ShippedSetForwardsRedactsAndRefuses) {
  const Decision plain = Ask(Shipped(), "What is 17 + 25?");
  EXPECT_EQ(plain.treatment(), Treatment::kForward);
  EXPECT_EQ(plain.site(), "builtin");
  EXPECT_FALSE(plain.policies().empty());

  const Decision secret = Ask(Shipped(), "use AKIAIOSFODNN7EXAMPLE to log in");
  EXPECT_EQ(secret.treatment(), Treatment::kRedacted);

  const Decision marked = Ask(Shipped(), "NATO SECRET\nthe plan");
  EXPECT_FALSE(marked.allowed());
  EXPECT_TRUE(marked.site().empty());
  EXPECT_FALSE(marked.policies().empty());
}

TEST_F(DeciderTest, SaysWhereTheSiteProcessesWhatItIsSent) {
  EXPECT_EQ(Ask(Shipped(), "What is 17 + 25?").place().id, "local");
  EXPECT_EQ(Ask(Shipped(), "What is 17 + 25?").place().in, std::vector<std::string>{"adequate"});
  EXPECT_TRUE(Ask(Shipped(), "NATO SECRET\nthe plan").place().id.empty());

  const auto configured = PolicySnapshot::Load(
      fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default",
      R"([{"uid":{"type":"Gw::Jurisdiction","id":"local"},"attrs":{},
           "parents":[{"type":"Gw::Jurisdiction","id":"DE"}]}])");
  ASSERT_TRUE(configured) << configured.error().message;
  const SitePlace place = Ask(configured.value(), "What is 17 + 25?").place();
  EXPECT_EQ(place.id, "local");
  EXPECT_EQ(place.in, (std::vector<std::string>{"DE", "EEA", "adequate"}));
  EXPECT_TRUE(PlaceOf(configured.value()->compiled->entities, "elsewhere").id.empty());
}

// A schema of one's own may have groups of places that are none.
TEST(SitePlaceTest, GroupsOfOtherTypesAreNoPlaces) {
  const auto entities = policy::cedar::Entities::ParseJson(
      R"([{"uid":{"type":"Gw::Jurisdiction","id":"EEA"},"attrs":{},"parents":[]},
          {"uid":{"type":"Gw::Department","id":"IT"},"attrs":{},"parents":[]},
          {"uid":{"type":"Gw::Jurisdiction","id":"local"},"attrs":{},
           "parents":[{"type":"Gw::Jurisdiction","id":"EEA"},{"type":"Gw::Department","id":"IT"}]},
          {"uid":{"type":"Gw::Backend","id":"here"},"parents":[],
           "attrs":{"processing":{"__entity":{"type":"Gw::Jurisdiction","id":"local"}}}},
          {"uid":{"type":"Gw::Backend","id":"nowhere"},"parents":[],
           "attrs":{"processing":{"__entity":{"type":"Gw::Department","id":"IT"}}}}])");
  ASSERT_TRUE(entities) << entities.error().message;
  const SitePlace place = PlaceOf(entities.value(), "here");
  EXPECT_EQ(place.id, "local");
  EXPECT_EQ(place.in, std::vector<std::string>{"EEA"});
  EXPECT_TRUE(PlaceOf(entities.value(), "nowhere").id.empty());
}

TEST_F(DeciderTest, AForbidThatErrorsStillRefuses) {
  auto set = Own("permit(principal, action, resource);\n"
                 "@id(\"broken\") forbid(principal, action in Gw::Action::\"transfer\", resource)\n"
                 "when { context.subjects + 9223372036854775807 > 0 };\n");
  ASSERT_TRUE(set) << set.error().message;
  // subjects is 0 here: no overflow, the forbid applies.
  EXPECT_FALSE(Ask(set.value(), "hello").allowed());
  auto overflow = Own("permit(principal, action, resource);\n"
                      "@id(\"broken\") forbid(principal, action, resource)\n"
                      "when { 9223372036854775807 + 1 > 0 };\n");
  ASSERT_TRUE(overflow);
  const Decision decision = Ask(overflow.value(), "hello");
  EXPECT_FALSE(decision.allowed());
  ASSERT_EQ(decision.errors().size(), 1u);
  EXPECT_EQ(decision.errors()[0], "broken");
}

TEST_F(DeciderTest, TheStricterObligationWins) {
  auto set = Own("@log(\"sealed\") @retention(\"P1Y\") permit(principal, action, resource);\n"
                 "@log(\"metadata\") @retention(\"P30D\") @obligation(\"alert:soc\")\n"
                 "permit(principal, action, resource);\n");
  ASSERT_TRUE(set);
  const Decision decision = Ask(set.value(), "hello");
  EXPECT_EQ(decision.obligations().log, RecordLevel::kMetadata);
  EXPECT_EQ(decision.obligations().retention_days, 30u);
  EXPECT_EQ(decision.obligations().alerts, std::vector<std::string>{"soc"});
}

TEST_F(DeciderTest, ASetThatCannotBeObeyedIsNotLoaded) {
  for (const char* policy :
       {"@log(\"somewhat\") permit(principal, action, resource);",
        "@retention(\"forever\") permit(principal, action, resource);",
        "@obligation(\"dance\") permit(principal, action, resource);",
        "@shiny(\"x\") permit(principal, action, resource);", "permit(principal, action", "",
        "permit(principal, action, resource) when { context.detectd.isEmpty() };",
        "permit(principal, action, resource in Gw::Pol::\"x\");"}) {
    auto set = Own(policy);
    ASSERT_FALSE(set) << policy;
    EXPECT_EQ(set.error().code, Code::kConfig);
  }
}

TEST_F(DeciderTest, OnlyWhatTheSetDecidedIsTallied) {
  const auto shipped = Shipped();
  (void)Ask(shipped, "What is 17 + 25?");
  (void)Ask(shipped, "NATO SECRET\nthe plan");
  EXPECT_EQ(shipped->callers.Read().calls, 2u);
  EXPECT_EQ(shipped->callers.Read().callers, 1u);
  EXPECT_DOUBLE_EQ(shipped->callers.Read().refused.percent, 50);

  auto withheld = PolicySnapshot::Of(shipped->compiled, 0);
  withheld->withheld.insert("builtin");
  EXPECT_FALSE(Ask(withheld, "What is 17 + 25?").allowed());
  EXPECT_EQ(withheld->callers.Read().calls, 0u);
}

TEST_F(DeciderTest, AListNamesEachSiteThatMayBeUsedAndIsNotTallied) {
  auto set = Own("permit(principal, action, resource);\n"
                 "forbid(principal, action, resource == Gw::Backend::\"closed\");\n");
  ASSERT_TRUE(set) << set.error().message;
  Snapshot<PolicySnapshot> snapshot(set.value());
  const Decider decider(snapshot, clock_, {.zone = "intranet", .jurisdiction = "EU"});
  const std::string sites[] = {"closed", "builtin", "second"};
  const Decision decision = decider.DecideList(Alice(), peer_, sites);
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.sites(), (std::vector<std::string>{"builtin", "second"}));
  EXPECT_EQ(set.value()->callers.Read().calls, 0u);
  const Decision none = decider.DecideList(Alice(), peer_, std::span(sites, 1));
  EXPECT_FALSE(none.allowed());
  EXPECT_TRUE(none.sites().empty());
}

TEST_F(DeciderTest, RecordsGoToTheAuditorsOfTheJurisdictionThatPolicyDecidedBy) {
  Config config;
  config.jurisdiction = "DE";
  EXPECT_EQ(Alice().home(), "");
  EXPECT_EQ(RecordJurisdiction(Alice(), config), "DE");
  config.jurisdiction = "the whole European Union";  // no auditor can have it
  EXPECT_EQ(RecordJurisdiction(Alice(), config), "");
  Principal principal;
  principal.id = "alice";
  principal.tenant = "default";
  principal.home = "FR";
  ASSERT_TRUE(store_->PutPrincipal(principal));
  config.jurisdiction = "DE";
  EXPECT_EQ(RecordJurisdiction(Alice(), config), "FR");
}

TEST_F(DeciderTest, AdministrationNeedsTheRole) {
  Snapshot<PolicySnapshot> snapshot(Shipped());
  const Decider decider(snapshot, clock_, {.zone = "intranet", .jurisdiction = "EU"});
  EXPECT_FALSE(decider.DecideAdmin(Alice()).allowed());
}

}  // namespace
}  // namespace portcullis::gateway
