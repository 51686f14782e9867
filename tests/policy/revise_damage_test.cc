// What somebody with the file in his hands can do: change rows, cut the tail, bring back an old
// copy, put in rows of his own, kill the process in the middle of a change. Nothing of it gets into
// force.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

TEST_F(RevisionTest, AChangedContentFallsBackToTheLastGoodRevision) {
  PutInForce(*OpenSeeded(), RefusingContent());
  Execute(
      "UPDATE contents SET document = CAST(replace(CAST(document AS TEXT), 'closed', 'opened') "
      "AS BLOB) WHERE rowid = 2");
  auto store = Open();
  EXPECT_EQ(store->in_force().number, 1u);
  ASSERT_EQ(store->health().complaints.size(), 2u);
  EXPECT_THAT(store->health().complaints[0], HasSubstr("was changed"));
  EXPECT_THAT(store->health().complaints[1], HasSubstr("the last good one"));
  // and it can be mended: a new revision goes the usual way
  ASSERT_TRUE(store->Keep(SignFor(*store, Act::kKeep, 2, "paul")));
  PutInForce(*store, DefaultContent("// mended"));
  EXPECT_EQ(store->in_force().number, 3u);
}

TEST_F(RevisionTest, AMissingContentOfTheOnlyRevisionMeansThatNothingIsAllowed) {
  OpenSeeded();
  Execute("DELETE FROM contents");
  auto store = Open();
  EXPECT_EQ(store->in_force().compiled, nullptr);
  EXPECT_THAT(store->health().complaints.back(), HasSubstr("every request is refused"));
}

TEST_F(RevisionTest, AnyChangedEventFreezesTheStoreAndTheAnchoredRevisionStays) {
  PutInForce(*OpenSeeded(), RefusingContent());
  const std::string events = Query("SELECT count(*) FROM events");
  fs::copy_file(folder_ / "policy.db", folder_ / "whole.db");
  for (int seq = 1; seq <= std::stoi(events); ++seq) {
    for (const char* change :
         {"document = CAST(document || X'00' AS BLOB)",
          "document = CAST(X'01' || substr(document, 2) AS BLOB)", "hash = randomblob(32)",
          "signature = randomblob(64)", "document = X''", "document = randomblob(300)"}) {
      fs::copy_file(folder_ / "whole.db", folder_ / "policy.db",
                    fs::copy_options::overwrite_existing);
      Execute("UPDATE events SET " + std::string(change) + " WHERE seq = " + std::to_string(seq));
      auto store = Open();
      EXPECT_TRUE(store->health().frozen) << seq << " " << change;
      EXPECT_EQ(store->in_force().number, 2u) << seq << " " << change;
      EXPECT_EQ(store->in_force().compiled->hash, HashOf(RefusingContent()));
      EXPECT_FALSE(store->SaveDraft(0, DefaultContent(), "olga"));
    }
  }
}

TEST_F(RevisionTest, RowsOfAStrangerDoNotCount) {
  OpenSeeded();
  const auto insert = [&](const SealedEvent& sealed) {
    const auto hex = [](std::string_view bytes) {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      std::string out = "X'";
      for (const char c : bytes) {
        out += kDigits[static_cast<uint8_t>(c) >> 4];
        out += kDigits[c & 15];
      }
      return out + "'";
    };
    Execute("INSERT INTO events VALUES (" + std::to_string(sealed.event.seq) + ", " +
            hex(Encode(sealed.event)) + ", " + hex(AsText(sealed.hash)) + ", " +
            hex({reinterpret_cast<const char*>(sealed.signature.data()), 64}) + ")");
  };
  Event event;
  {
    auto store = Open();
    const State state = store->state();
    event.seq = 2;
    event.time = now_;
    event.kind = EventKind::kRollback;
    event.revision = 1;
    event.content = HashOf(DefaultContent());
    event.actor = kAppliance;
    event.previous = state.head;
  }
  insert(Seal(event, *keys_["olga"]));  // not the appliance's signature
  auto store = Open();
  EXPECT_TRUE(store->health().frozen);
  EXPECT_THAT(store->health().complaints[0], HasSubstr("the appliance has not signed it"));
  EXPECT_EQ(store->in_force().number, 1u);
}

TEST_F(RevisionTest, EvenTheAppliancesKeyCannotActivateWithoutApproval) {
  auto store = OpenSeeded();
  const uint64_t number = ProposeOnly(*store, RefusingContent());
  State state = store->state();
  Event event;
  event.seq = state.seq + 1;
  event.time = now_;
  event.kind = EventKind::kActivate;
  event.revision = number;
  event.content = HashOf(RefusingContent());
  event.actor = "paul";
  event.until = now_ + 60;
  event.previous = state.head;
  EXPECT_FALSE(Advance(state, Seal(event, *keys_["appliance"]), keys_["appliance"]->public_key()));
  event.statement = SignFor(*store, Act::kApply, number, "paul");
  const auto refused =
      Advance(state, Seal(event, *keys_["appliance"]), keys_["appliance"]->public_key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRevisionState);
}

TEST_F(RevisionTest, AnOldCopyIsKnownByTheAnchor) {
  { auto store = OpenSeeded(); }
  fs::copy_file(folder_ / "policy.db", folder_ / "old.db");
  {
    auto store = OpenSeeded();
    PutInForce(*store, RefusingContent());
  }
  fs::copy_file(folder_ / "old.db", folder_ / "policy.db", fs::copy_options::overwrite_existing);
  auto store = Open();
  EXPECT_TRUE(store->health().frozen);
  EXPECT_THAT(store->health().complaints[0], HasSubstr("an old copy"));
  // Revision 1 would be a way back to what was replaced; revision 2 is not in the old copy.
  EXPECT_EQ(store->in_force().compiled, nullptr);
}

TEST_F(RevisionTest, AnEmptyFileInPlaceOfAStoreIsNotSeededAgain) {
  { auto store = OpenSeeded(); }
  fs::remove(folder_ / "policy.db");
  auto store = Open();
  EXPECT_TRUE(store->health().frozen);
  EXPECT_FALSE(store->empty());
  EXPECT_FALSE(store->Seed(DefaultContent("permit(principal, action, resource);"), "x"));
  EXPECT_EQ(store->in_force().compiled, nullptr);
}

TEST_F(RevisionTest, AnotherStoreUnderTheSameKeyIsNoticed) {
  { auto store = OpenSeeded(); }
  const auto anchor = anchor_;
  fs::remove(folder_ / "policy.db");
  anchor_.reset();
  {
    auto store = OpenSeeded();
    PutInForce(*store, RefusingContent());
  }
  anchor_ = anchor;
  EXPECT_THAT(Open()->health().complaints.at(0), HasSubstr("was replaced"));
}

TEST_F(RevisionTest, AForgedAnchorIsNotBelieved) {
  { auto store = OpenSeeded(); }
  (*anchor_)[anchor_->size() - 1] = anchor_->back() == '0' ? '1' : '0';
  EXPECT_TRUE(Open()->health().frozen);
  for (const char* junk :
       {"", "x", "portcullis policy anchor 1 ", "portcullis policy anchor 1 1 2 3 4 5"}) {
    anchor_ = junk;
    EXPECT_TRUE(Open()->health().frozen) << junk;
  }
}

TEST_F(RevisionTest, FilesThatAreNoStoreAreRefused) {
  const auto refused = [&](const std::string& bytes) {
    FILE* file = std::fopen((folder_ / "policy.db").c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    auto store = RevisionStore::Open(Options());
    return store ? std::string() : store.error().message;
  };
  EXPECT_THAT(refused(std::string(5000, 'x')), HasSubstr("damaged"));
  fs::remove(folder_ / "policy.db");
  Execute("CREATE TABLE t (a); PRAGMA application_id = 7;");
  const auto foreign = RevisionStore::Open(Options());
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("another program"));
}

TEST_F(RevisionTest, TwoProcessesDoNotWriteOverEachOther) {
  auto first = OpenSeeded();
  auto second = Open();
  ASSERT_TRUE(first->SaveDraft(0, RefusingContent(), "olga"));
  const auto refused = second->SaveDraft(0, DefaultContent("// other"), "olga");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kStale);
  EXPECT_EQ(Open()->state().revisions.size(), 2u);
}

// The process dies at each step of an activation; afterwards it was either done or not.
TEST_F(RevisionTest, KilledAtAnyStepTheStoreIsWhole) {
  {
    auto store = OpenSeeded();
    const uint64_t number = ProposeOnly(*store, RefusingContent());
    ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  }
  const std::vector<std::pair<std::string, uint64_t>> steps = {{"before the write", 1},
                                                               {"before the commit", 1},
                                                               {"after the commit", 2},
                                                               {"after the anchor", 2}};
  fs::copy_file(folder_ / "policy.db", folder_ / "whole.db");
  const auto anchor = anchor_;
  for (const auto& [step, expected] : steps) {
    fs::copy_file(folder_ / "whole.db", folder_ / "policy.db",
                  fs::copy_options::overwrite_existing);
    anchor_ = anchor;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      StoreOptions options = Options();
      options.at_step_for_test = [&step = step](std::string_view name) {
        if (name == step) ::kill(::getpid(), SIGKILL);
      };
      auto store = RevisionStore::Open(std::move(options));
      static_cast<void>(store.value()->Apply(SignFor(*store.value(), Act::kApply, 2, "paul"), 60));
      ::_exit(7);  // the step was never reached
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << step;
    auto store = Open();
    EXPECT_TRUE(store->health().complaints.empty()) << step;
    EXPECT_EQ(store->in_force().number, expected) << step;
    EXPECT_EQ(store->state().Find(2)->phase, expected == 2 ? Phase::kProbation : Phase::kApproved);
    // Life goes on from there.
    if (expected == 1) {
      EXPECT_TRUE(store->Apply(SignFor(*store, Act::kApply, 2, "paul"), 60)) << step;
    }
    EXPECT_TRUE(store->Keep(SignFor(*store, Act::kKeep, 2, "paul"))) << step;
  }
}

}  // namespace
}  // namespace portcullis::policy::revise
