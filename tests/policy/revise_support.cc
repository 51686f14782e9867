#include "tests/policy/revise_support.h"

#include <sodium.h>
#include <sqlite3.h>
#include <unistd.h>

namespace portcullis::policy::revise {
namespace fs = std::filesystem;

NamedSigner::NamedSigner(std::string_view name) {
  const Hash seed = Sha256(name);
  crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
}

Signature NamedSigner::Sign(std::string_view bytes) const {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr,
                       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                       secret_.data());
  return signature;
}

Content DefaultContent(const std::string& more) {
  Content content = ReadContent(fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default").value();
  content.tests.clear();  // they are run by sets_test.cc; here only time would pass
  if (!more.empty()) content.policies.push_back({"site.cedar", more});
  return content;
}

Content RefusingContent() {
  return DefaultContent(
      "@id(\"closed\") forbid(principal, action in Gw::Action::\"transfer\", resource);");
}

DecisionFacts PlainCall() {
  DecisionFacts facts;
  facts.principal = "alice";
  facts.home = facts.device_jurisdiction = "DE";
  facts.sites = {"builtin"};
  facts.now_ms = 1'800'000'000'000;
  return facts;
}

RevisionTest::RevisionTest() {
  static int number = 0;
  folder_ = fs::temp_directory_path() /
            ("portcullis-revise-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  for (const char* name : {"appliance", "olga", "paul", "rita"}) {
    keys_[name] = std::make_shared<NamedSigner>(name);
  }
  const std::vector<Right> all = {Right::kPropose, Right::kApprove, Right::kApply};
  officers_ = {{"olga", keys_["olga"]->public_key(), all},
               {"paul", keys_["paul"]->public_key(), all},
               {"rita", keys_["rita"]->public_key(), {Right::kPropose}},
               {"console", std::nullopt, all}};
}

RevisionTest::~RevisionTest() { fs::remove_all(folder_); }

StoreOptions RevisionTest::Options() {
  StoreOptions options;
  options.file = folder_ / "policy.db";
  options.appliance = keys_["appliance"];
  options.officers = Officers::Make(officers_).value();
  options.anchor.read = [this]() -> Result<std::optional<std::string>> { return anchor_; };
  options.anchor.write = [this](const std::string& text) -> Result<void> {
    anchor_ = text;
    return boost::outcome_v2::success();
  };
  options.now = [this] { return now_; };
  return options;
}

std::unique_ptr<RevisionStore> RevisionTest::Open() {
  auto store = RevisionStore::Open(Options());
  EXPECT_TRUE(store) << store.error().message;
  return std::move(store.value());
}

std::unique_ptr<RevisionStore> RevisionTest::OpenSeeded() {
  auto store = Open();
  if (store->empty()) {
    const auto seeded = store->Seed(DefaultContent(), "policy/sets/default");
    EXPECT_TRUE(seeded) << seeded.error().message;
  }
  return store;
}

SignedStatement RevisionTest::Sign(const RevisionStore& store, Act act, uint64_t number,
                                   const Hash& content, const std::string& officer,
                                   int64_t valid) const {
  Statement statement;
  statement.act = act;
  statement.store = store.store_id();
  statement.revision = number;
  statement.content = content;
  statement.officer = officer;
  statement.issued = now_;
  statement.expires = now_ + valid;
  const bool known = keys_.contains(officer);
  return SignStatement(statement, known ? *keys_.at(officer) : *keys_.at("appliance"), !known);
}

SignedStatement RevisionTest::SignFor(const RevisionStore& store, Act act, uint64_t number,
                                      const std::string& officer) const {
  const State state = store.state();
  const Revision* revision = state.Find(number);
  return Sign(store, act, number, revision ? revision->content : Hash{}, officer);
}

Result<SignedStatement> RevisionTest::VouchFor(const RevisionStore& store, Act act,
                                               uint64_t number) const {
  return store.Vouch(act, number, store.state().Find(number)->content, "console", 3600);
}

uint64_t RevisionTest::ProposeOnly(RevisionStore& store, const Content& content) {
  const uint64_t number = store.state().NextNumber();
  const auto proposed =
      store.Propose(Sign(store, Act::kPropose, number, HashOf(content), "olga"), content);
  EXPECT_TRUE(proposed) << proposed.error().message;
  return number;
}

void RevisionTest::PutInForce(RevisionStore& store, const Content& content) {
  const uint64_t number = ProposeOnly(store, content);
  const auto approved = store.Approve(SignFor(store, Act::kApprove, number, "paul"));
  EXPECT_TRUE(approved) << approved.error().message;
  const auto applied = store.Apply(SignFor(store, Act::kApply, number, "paul"), 86400);
  EXPECT_TRUE(applied) << applied.error().message;
}

void RevisionTest::Execute(const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "policy.db").c_str(), &db), SQLITE_OK);
  for (const char* trigger : {"contents_stay", "contents_remain", "events_stay", "events_remain"}) {
    sqlite3_exec(db, ("DROP TRIGGER IF EXISTS " + std::string(trigger)).c_str(), nullptr, nullptr,
                 nullptr);
  }
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
      << (message ? message : "");
  sqlite3_free(message);
  sqlite3_close(db);
}

std::string RevisionTest::Query(const std::string& sql) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open((folder_ / "policy.db").c_str(), &db), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  std::string out;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    out = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return out;
}

}  // namespace portcullis::policy::revise
