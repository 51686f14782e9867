// START HERE. The revision store: every way in which policy changes, behind one class that the
// gateway, the console and the command line share. It decides what is in force; nobody else does.
//
// Open() examines the whole chain of events. What does not verify never gets into force:
//   a damaged content           the revision it replaced is in force instead
//   a broken or replaced chain  the store is frozen: no changes; what was last in force (named by
//   the
//                               anchor, which lies elsewhere) goes on if its content still verifies
//   nothing that verifies       in_force() is null: the caller must refuse everything
// and Health() says so, to be shown loudly.
//
// A change is on disk when the call returns; a process killed in between leaves the state before or
// the state after. Threading: all methods from any thread, one at a time inside. Failure: kStorage,
// kRevisionState, kNotEntitled, kStale, kTooLarge, what Check says; never a change by halves.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/compiled.h"
#include "policy/revise/database.h"
#include "policy/revise/officers.h"
#include "policy/revise/state.h"

namespace portcullis::policy::revise {

// A short text kept outside of the store's file; without it an old copy of the file would pass for
// the present. Both are called with the store's lock held and must not call the store.
struct AnchorPlace {
  std::function<Result<std::optional<std::string>>()> read;
  std::function<Result<void>(const std::string&)> write;
};

struct StoreOptions {
  std::filesystem::path file;
  std::shared_ptr<const Signer> appliance;
  Officers officers;
  AnchorPlace anchor;
  std::function<int64_t()> now;  // seconds since 1970 (UTC)
  // Called at each step of a change with its name, for tests that end the process there.
  std::function<void(std::string_view)> at_step_for_test;
};

struct Health {
  bool frozen = false;
  std::vector<std::string> complaints;
};

struct InForce {
  uint64_t number = 0;
  std::shared_ptr<const Compiled> compiled;
};

class RevisionStore {
 public:
  // Fails only where the file cannot be used at all; damage to its content is in Health().
  static Result<std::unique_ptr<RevisionStore>> Open(StoreOptions options);
  ~RevisionStore();

  bool empty() const;
  // Revision 1 of an empty store, checked, in force at once: the one act without approval.
  Result<void> Seed(const Content& content, std::string_view origin);

  Health health() const;
  std::string store_id() const;  // for statements; empty before the seed
  InForce in_force() const;      // compiled is null when nothing may be in force
  State state() const;
  std::vector<SealedEvent> EventsAfter(uint64_t seq) const;
  Result<Content> ContentOf(uint64_t number) const;

  // A draft by `author`, who must have the right to propose, or new content for an open revision
  // (number != 0), which voids what was checked, proposed and approved. Returns its number.
  Result<uint64_t> SaveDraft(uint64_t number, const Content& content, std::string_view author);
  Result<CheckReport> CheckDraft(uint64_t number);
  // With `content` for draft, check and proposal in one step, under the number of the statement.
  Result<void> Propose(const SignedStatement& statement, const std::optional<Content>& content);
  Result<void> Approve(const SignedStatement& statement);
  // In force from now on; rolled back at the end of the probation unless kept before.
  Result<void> Apply(const SignedStatement& statement, int64_t probation_seconds);
  Result<void> Keep(const SignedStatement& statement);
  Result<void> Rollback(const SignedStatement& statement, std::string_view why);
  Result<void> Withdraw(const SignedStatement& statement, std::string_view why);

  // Rolls the revision back if it is on probation; for errors that the caller has seen.
  Result<bool> FailProbation(uint64_t number, std::string_view why);
  // Rolls back what outlived its probation without being kept. True when something changed.
  Result<bool> Tick();

  // The statement of an officer who has signed in, under the appliance's key. `content` is what he
  // has read; kStale when the revision has another by now.
  Result<SignedStatement> Vouch(Act act, uint64_t revision, const Hash& content,
                                std::string_view officer, int64_t valid_seconds) const;
  const Officers& officers() const { return options_.officers; }
  PublicKey appliance_key() const { return options_.appliance->public_key(); }
  int64_t Now() const { return options_.now(); }

 private:
  explicit RevisionStore(StoreOptions options, RevisionDatabase database);

  // All below: with the lock held.
  Result<void> Load();
  Result<void> ReadChain();
  Result<void> ExamineAnchor();
  void ChooseInForce();
  Result<std::shared_ptr<const Compiled>> CompileHash(const Hash& hash) const;
  Result<Content> LoadContent(const Hash& hash) const;
  void Complain(std::string message, bool freeze);
  Result<void> RefuseFrozen() const;
  Event NewEvent(EventKind kind, uint64_t revision, const Hash& content,
                 std::string_view actor) const;
  // Seals, tries on a copy of the state, writes, moves the anchor, and only then becomes the state.
  Result<void> Commit(std::vector<Event> events, const std::optional<Content>& content);
  Result<void> WriteAnchor();  // a failure is complained of until a later write succeeds
  Result<Statement> Verified(const SignedStatement& statement, Act act) const;
  Result<void> BySigned(const SignedStatement& statement, Act act, EventKind kind, int64_t until,
                        std::string_view detail);
  Result<void> AskSetInForce(const Revision& revision, std::string_view officer) const;
  void Step(std::string_view name) const {
    if (options_.at_step_for_test) options_.at_step_for_test(name);
  }

  struct Anchor {
    uint64_t seq = 0;
    Hash head{};
    uint64_t number = 0;
    Hash content{};
  };
  static std::string AnchorText(const Anchor& anchor, const Signer& signer);
  Result<Anchor> ParseAnchor(std::string_view text) const;

  mutable std::mutex mutex_;
  StoreOptions options_;
  mutable RevisionDatabase database_;
  State state_;
  std::vector<SealedEvent> events_;
  std::optional<Anchor> anchor_;
  Health health_;
  std::string anchor_trouble_;  // why the last write of the anchor failed; empty when it did not
  InForce in_force_;
};

}  // namespace portcullis::policy::revise
