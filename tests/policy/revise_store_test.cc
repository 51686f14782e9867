// The life of revisions: who may do what when, and what each step changes.
#include <gmock/gmock.h>

#include <chrono>
#include <limits>

#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::HasSubstr;

TEST_F(RevisionTest, TheSeedIsInForceAndSaysWhereItCameFrom) {
  auto store = OpenSeeded();
  EXPECT_EQ(store->in_force().number, 1u);
  EXPECT_EQ(store->in_force().compiled->hash, HashOf(DefaultContent()));
  const auto events = store->EventsAfter(0);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].event.actor, kAppliance);
  EXPECT_THAT(events[0].event.detail, HasSubstr("policy/sets/default"));
  EXPECT_FALSE(store->Seed(DefaultContent(), "again"));
}

TEST_F(RevisionTest, ARevisionGoesThroughAllPhasesAndChangesDecisions) {
  auto store = OpenSeeded();
  const auto decide = [&] { return store->in_force().compiled->Decide(PlainCall()); };
  EXPECT_TRUE(decide().allowed());

  const uint64_t number = ProposeOnly(*store, RefusingContent());
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kProposed);
  EXPECT_TRUE(decide().allowed());
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kApproved);
  EXPECT_TRUE(decide().allowed());
  ASSERT_TRUE(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 3600));
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kProbation);
  EXPECT_FALSE(decide().allowed());
  EXPECT_EQ(decide().policies, std::vector<std::string>{"closed"});
  ASSERT_TRUE(store->Keep(SignFor(*store, Act::kKeep, number, "olga")));
  now_ += 7200;
  EXPECT_FALSE(store->Tick().value());
  EXPECT_EQ(store->in_force().number, number);

  ASSERT_TRUE(store->Rollback(SignFor(*store, Act::kRollback, number, "olga"), "too strict"));
  EXPECT_TRUE(decide().allowed());
  EXPECT_EQ(store->in_force().number, 1u);
  EXPECT_EQ(store->state().Find(number)->detail, "too strict");
}

TEST_F(RevisionTest, NobodyApprovesHisOwn) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  const auto own = store->Approve(SignFor(*store, Act::kApprove, number, "olga"));
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, Code::kNotEntitled);
  EXPECT_THAT(own.error().message, HasSubstr("another officer"));
  const auto applied = store->Apply(SignFor(*store, Act::kApply, number, "olga"), 3600);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kRevisionState);
}

TEST_F(RevisionTest, RightsAndKeysComeFromTheConfiguration) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  EXPECT_THAT(store->Approve(SignFor(*store, Act::kApprove, number, "rita")).error().message,
              HasSubstr("the right `approve` is missing"));
  EXPECT_THAT(store->Approve(SignFor(*store, Act::kApprove, number, "nobody")).error().message,
              HasSubstr("no officer in the configuration"));
  // paul's name under olga's key
  Statement said = ParseStatement(SignFor(*store, Act::kApprove, number, "paul").text).value();
  EXPECT_THAT(store->Approve(SignStatement(said, *keys_["olga"], false)).error().message,
              HasSubstr("only under the key in the configuration"));
  // an officer with a key of his own cannot be vouched for
  EXPECT_FALSE(store->Approve(SignStatement(said, *keys_["appliance"], true)));
  SignedStatement forged = SignFor(*store, Act::kApprove, number, "paul");
  forged.signature[3] ^= 1;
  EXPECT_THAT(store->Approve(forged).error().message, HasSubstr("does not fit"));
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kProposed);
  // who signs in is vouched for by the appliance
  EXPECT_TRUE(store->Approve(VouchFor(*store, Act::kApprove, number).value()));
}

TEST_F(RevisionTest, StatementsFitOneActRevisionStoreAndContent) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  EXPECT_FALSE(store->Approve(SignFor(*store, Act::kPropose, number, "paul")));
  EXPECT_FALSE(store->Approve(SignFor(*store, Act::kApprove, 1, "paul")));
  EXPECT_FALSE(
      store->Approve(Sign(*store, Act::kApprove, number, HashOf(DefaultContent()), "paul")));
  Statement elsewhere = ParseStatement(SignFor(*store, Act::kApprove, number, "paul").text).value();
  elsewhere.store = std::string(32, '0');
  EXPECT_THAT(store->Approve(SignStatement(elsewhere, *keys_["paul"], false)).error().message,
              HasSubstr("another revision store"));
  EXPECT_EQ(store->EventsAfter(0).size(), 4u);
}

TEST_F(RevisionTest, AnEditVoidsProposalAndApprovals) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  const SignedStatement approval = SignFor(*store, Act::kApprove, number, "paul");
  ASSERT_TRUE(store->Approve(approval));
  ASSERT_TRUE(store->SaveDraft(number, DefaultContent("// a comment is an edit too"), "olga"));
  const State state = store->state();
  const Revision* edited = state.Find(number);
  EXPECT_EQ(edited->phase, Phase::kDraft);
  EXPECT_TRUE(edited->approvals.empty());
  EXPECT_FALSE(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 60));
  EXPECT_FALSE(store->Approve(approval));  // signed another content
}

TEST_F(RevisionTest, AnApprovalExpires) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  const Hash content = HashOf(RefusingContent());
  ASSERT_TRUE(store->Approve(Sign(*store, Act::kApprove, number, content, "paul", 3600)));
  now_ += 3600;
  const auto late = store->Apply(Sign(*store, Act::kApply, number, content, "paul"), 60);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kNotEntitled);
  ASSERT_TRUE(store->Approve(Sign(*store, Act::kApprove, number, content, "paul", 3600)));
  EXPECT_TRUE(store->Apply(Sign(*store, Act::kApply, number, content, "paul"), 60));
}

TEST_F(RevisionTest, TheApprovalOfAnOfficerWhoLeftCountsNoLonger) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  store.reset();
  std::erase_if(officers_, [](const Officer& officer) { return officer.id == "paul"; });
  store = Open();
  EXPECT_THAT(store->Apply(SignFor(*store, Act::kApply, number, "olga"), 60).error().message,
              HasSubstr("no approval of revision 2 is valid any more"));
}

TEST_F(RevisionTest, StaleRevisionsNeverBecomeActive) {
  auto store = OpenSeeded();
  const uint64_t old_number = ProposeOnly(*store, RefusingContent());
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, old_number, "paul")));
  PutInForce(*store, DefaultContent("// newer"));
  const uint64_t newer = store->in_force().number;
  ASSERT_TRUE(store->Keep(SignFor(*store, Act::kKeep, newer, "paul")));
  const auto overtaken = store->Apply(SignFor(*store, Act::kApply, old_number, "paul"), 60);
  ASSERT_FALSE(overtaken);
  EXPECT_EQ(overtaken.error().code, Code::kStale);

  ASSERT_TRUE(store->Rollback(SignFor(*store, Act::kRollback, newer, "paul"), ""));
  now_ += 1;
  const auto rolled_back = store->Apply(SignFor(*store, Act::kApply, newer, "paul"), 60);
  ASSERT_FALSE(rolled_back);
  EXPECT_EQ(rolled_back.error().code, Code::kStale);
}

TEST_F(RevisionTest, AProbationThatNobodyEndsIsRolledBack) {
  auto store = OpenSeeded();
  PutInForce(*store, RefusingContent());
  now_ += 86399;
  EXPECT_FALSE(store->Tick().value());
  now_ += 1;
  EXPECT_TRUE(store->Tick().value());
  EXPECT_EQ(store->in_force().number, 1u);
  EXPECT_EQ(store->state().Find(2)->phase, Phase::kRolledBack);
  EXPECT_FALSE(store->Tick().value());
}

TEST_F(RevisionTest, AProbationThatFailsIsRolledBackButNothingElseIs) {
  auto store = OpenSeeded();
  EXPECT_FALSE(store->FailProbation(1, "x").value());
  PutInForce(*store, RefusingContent());
  EXPECT_FALSE(store->FailProbation(1, "x").value());
  EXPECT_TRUE(store->FailProbation(2, "9 of 10 calls were refused").value());
  EXPECT_EQ(store->state().Find(2)->detail, "9 of 10 calls were refused");
}

TEST_F(RevisionTest, OneProbationAtATime) {
  auto store = OpenSeeded();
  PutInForce(*store, RefusingContent());
  const uint64_t number = ProposeOnly(*store, DefaultContent("// next"));
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  EXPECT_THAT(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 60).error().message,
              HasSubstr("still on probation"));
}

TEST_F(RevisionTest, TheSetInForceHasItsSay) {
  auto store = OpenSeeded();
  PutInForce(*store, DefaultContent("@id(\"a-day-first\") forbid(principal, action == "
                                    "Gw::Action::\"activatePolicy\", resource) unless { "
                                    "resource.dryRunHours >= 24 };"));
  ASSERT_TRUE(store->Keep(SignFor(*store, Act::kKeep, 2, "paul")));
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  EXPECT_THAT(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 60).error().message,
              HasSubstr("dry run of 0 hours"));
  now_ += 23 * 3600;
  EXPECT_FALSE(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 60));
  now_ += 3600;
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  EXPECT_TRUE(store->Apply(SignFor(*store, Act::kApply, number, "paul"), 60));
}

TEST_F(RevisionTest, DraftsThatCannotWorkAreNotTaken) {
  auto store = OpenSeeded();
  const auto refused = [&](const Content& content) {
    const uint64_t number = store->state().NextNumber();
    const auto proposed =
        store->Propose(Sign(*store, Act::kPropose, number, HashOf(content), "olga"), content);
    return proposed ? std::string() : proposed.error().message;
  };
  EXPECT_THAT(refused(DefaultContent("permit(principal, action")), HasSubstr("site.cedar:1"));
  EXPECT_THAT(
      refused(DefaultContent("permit(principal, action, resource) when { resource.colour == 1 };")),
      HasSubstr("colour"));
  EXPECT_THAT(refused(DefaultContent("@shiny(\"x\") permit(principal, action, resource);")),
              HasSubstr("@shiny"));
  EXPECT_THAT(refused(DefaultContent("@log(\"loud\") permit(principal, action, resource);")),
              HasSubstr("@log"));
  EXPECT_THAT(refused(DefaultContent(
                  "forbid(principal, action == Gw::Action::\"activatePolicy\", resource);")),
              HasSubstr("nobody could ever replace"));
  Content failing = DefaultContent();
  failing.tests.push_back({"a.test",
                           "case no\n principal = Gw::User::\"x\"\n"
                           " action = Gw::Action::\"activatePolicy\"\n"
                           " resource = Gw::PolicyRevision::\"1\"\n"
                           " context = {}\n expect = allow\n"});
  EXPECT_THAT(refused(failing), HasSubstr("test `no` failed"));
  Content huge = DefaultContent("// " + std::string(kMaxContentBytes, 'x'));
  EXPECT_THAT(refused(huge), HasSubstr("bytes"));
  EXPECT_EQ(store->EventsAfter(0).size(), 1u);
}

TEST_F(RevisionTest, WhoSignsInApprovesWhatHeHasReadOrNothing) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  const Content other = DefaultContent("// other");
  ASSERT_TRUE(store->Propose(Sign(*store, Act::kPropose, number, HashOf(other), "olga"), other));
  const auto vouched =
      store->Vouch(Act::kApprove, number, HashOf(RefusingContent()), "console", 60);
  ASSERT_FALSE(vouched);
  EXPECT_EQ(vouched.error().code, Code::kStale);
  EXPECT_THAT(vouched.error().message, HasSubstr(HashText(HashOf(other))));
}

TEST_F(RevisionTest, NothingIsWrittenForSomebodyWithoutTheRightToPropose) {
  officers_.push_back({"reader", std::nullopt, {Right::kApprove}});
  auto store = OpenSeeded();
  for (const char* author : {"mallory", "reader", "", "a b"}) {
    const auto saved = store->SaveDraft(0, DefaultContent("// mine"), author);
    ASSERT_FALSE(saved) << author;
    EXPECT_EQ(saved.error().code, Code::kNotEntitled);
  }
  EXPECT_EQ(store->EventsAfter(0).size(), 1u);
}

TEST_F(RevisionTest, AStatementIsUsedOnce) {
  auto store = OpenSeeded();
  const uint64_t number = store->state().NextNumber();
  const Content first = RefusingContent();
  const Content second = DefaultContent("// second thoughts");
  const SignedStatement said = Sign(*store, Act::kPropose, number, HashOf(first), "olga");
  ASSERT_TRUE(store->Propose(said, first));
  const SignedStatement approval = SignFor(*store, Act::kApprove, number, "paul");
  ASSERT_TRUE(store->Approve(approval));
  now_ += 60;
  ASSERT_TRUE(store->Propose(Sign(*store, Act::kPropose, number, HashOf(second), "olga"), second));
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  // Both old statements are in the log for every administrator to read.
  const auto again = store->Propose(said, first);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kNotEntitled);
  EXPECT_THAT(again.error().message, HasSubstr("used already"));
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kApproved);
  EXPECT_EQ(store->state().Find(number)->content, HashOf(second));
  now_ += 60;
  ASSERT_TRUE(store->Propose(Sign(*store, Act::kPropose, number, HashOf(first), "olga"), first));
  EXPECT_THAT(store->Approve(approval).error().message, HasSubstr("used already"));
}

TEST_F(RevisionTest, AStatementFromTheBeginningOfTimeIsRefused) {
  auto store = OpenSeeded();
  const Content content = RefusingContent();
  for (const int64_t issued : {std::numeric_limits<int64_t>::min(), int64_t{-1}}) {
    Statement said =
        ParseStatement(Sign(*store, Act::kPropose, 2, HashOf(content), "olga").text).value();
    said.issued = issued;
    said.expires = std::numeric_limits<int64_t>::max();
    EXPECT_THAT(store->Propose(SignStatement(said, *keys_["olga"], false), content).error().message,
                HasSubstr("90 days at most"));
  }
}

TEST_F(RevisionTest, AnAnchorThatIsWrittenAgainIsNoLongerComplainedOf) {
  bool broken = false;
  StoreOptions options = Options();
  options.anchor.write = [&,
                          write = options.anchor.write](const std::string& text) -> Result<void> {
    if (broken) return Error{Code::kStorage, "the disk is full"};
    return write(text);
  };
  auto store = std::move(RevisionStore::Open(std::move(options)).value());
  ASSERT_TRUE(store->Seed(DefaultContent(), "test"));
  broken = true;
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  ASSERT_TRUE(store->Withdraw(SignFor(*store, Act::kWithdraw, number, "olga"), ""));
  ASSERT_EQ(store->health().complaints.size(), 1u);
  EXPECT_THAT(store->health().complaints[0], HasSubstr("the disk is full"));
  broken = false;
  ProposeOnly(*store, RefusingContent());
  EXPECT_TRUE(store->health().complaints.empty());
}

TEST(Combine, ManyParentsOfOneEntityAreJoinedInTime) {
  const auto entity = [](const std::string& prefix) {
    std::string out = R"([{"uid":{"type":"T","id":"x"},"attrs":{},"parents":[)";
    for (int i = 0; i < 20'000; ++i) {
      out += (i ? "," : "") + std::string(R"({"type":"T","id":")") + prefix + std::to_string(i) +
             "\"}";
    }
    return out + "]}]";
  };
  const auto start = std::chrono::steady_clock::now();
  const auto joined = JoinEntities(entity("a"), entity("b"), "test");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_THAT(joined.value(), HasSubstr("b19999"));
  EXPECT_EQ(JoinEntities(joined.value(), entity("b"), "test").value(), joined.value());
}

TEST_F(RevisionTest, TheDraftIsCheckedStepByStepToo) {
  auto store = OpenSeeded();
  const uint64_t number = store->SaveDraft(0, DefaultContent("permit(princ"), "console").value();
  EXPECT_FALSE(store->CheckDraft(number).value().ok());
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kDraft);
  EXPECT_FALSE(store->Propose(VouchFor(*store, Act::kPropose, number).value(), {}));
  ASSERT_TRUE(store->SaveDraft(number, RefusingContent(), "console"));
  EXPECT_TRUE(store->CheckDraft(number).value().ok());
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kChecked);
  EXPECT_TRUE(store->Propose(VouchFor(*store, Act::kPropose, number).value(), {}));
  ASSERT_TRUE(store->Withdraw(VouchFor(*store, Act::kWithdraw, number).value(), "no"));
  EXPECT_EQ(store->state().Find(number)->phase, Phase::kWithdrawn);
  EXPECT_FALSE(store->SaveDraft(number, DefaultContent(), "console"));
}

TEST_F(RevisionTest, EverythingIsThereAfterReopening) {
  std::string id;
  {
    auto store = OpenSeeded();
    id = store->store_id();
    PutInForce(*store, RefusingContent());
  }
  auto store = Open();
  EXPECT_FALSE(store->health().frozen);
  EXPECT_TRUE(store->health().complaints.empty());
  EXPECT_EQ(store->store_id(), id);
  EXPECT_EQ(store->in_force().number, 2u);
  EXPECT_EQ(store->state().Find(2)->approvals.at(0).officer, "paul");
  EXPECT_EQ(store->ContentOf(2).value(), RefusingContent());
}

}  // namespace
}  // namespace portcullis::policy::revise
