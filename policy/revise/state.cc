#include "policy/revise/state.h"

#include <algorithm>

namespace portcullis::policy::revise {
namespace {

Error Refuse(const Revision& revision, std::string_view act, std::string_view why) {
  return {Code::kRevisionState, "revision " + std::to_string(revision.number) + " is " +
                                    std::string(NameOf(revision.phase)) + " and cannot be " +
                                    std::string(act) + ": " + std::string(why)};
}

Error Damaged(const Event& event, std::string_view why) {
  return {Code::kRevisionDamaged,
          "event " + std::to_string(event.seq) + " of the revision store: " + std::string(why)};
}

std::optional<Act> ActFor(const Event& event) {
  switch (event.kind) {
    case EventKind::kPropose:
      return Act::kPropose;
    case EventKind::kApprove:
      return Act::kApprove;
    case EventKind::kActivate:
      return Act::kApply;
    case EventKind::kKeep:
      return Act::kKeep;
    case EventKind::kWithdraw:
      return Act::kWithdraw;
    case EventKind::kRollback:
      if (event.actor == kAppliance) return std::nullopt;
      return Act::kRollback;
    default:
      return std::nullopt;
  }
}

// The statement says what the event says, and its signature holds.
Result<void> CheckStatement(const State& state, const Event& event, const PublicKey& appliance) {
  const std::optional<Act> act = ActFor(event);
  if (act.has_value() != event.statement.has_value()) {
    return Damaged(event, act ? "the officer's statement is missing" : "a statement too many");
  }
  if (!act) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(const Statement statement, ParseStatement(event.statement->text));
  if (statement.act != *act || statement.revision != event.revision ||
      statement.content != event.content || statement.officer != event.actor ||
      statement.store != StoreId(state.first)) {
    return Damaged(event, "the officer's statement is about something else");
  }
  if (event.kind == EventKind::kApprove && statement.expires != event.until) {
    return Damaged(event, "the approval expires at another time than was signed");
  }
  if (event.statement->by_appliance && event.statement->key != appliance) {
    return Damaged(event, "vouched for by a key that is not the appliance's");
  }
  if (!VerifySignature(event.statement->key, event.statement->text, event.statement->signature)) {
    return Damaged(event, "the officer's signature does not fit");
  }
  return boost::outcome_v2::success();
}

bool IsOpen(Phase phase) { return phase <= Phase::kApproved; }

void Reset(Revision& revision, const Event& event) {
  revision.phase = Phase::kDraft;
  revision.content = event.content;
  revision.author = event.actor;
  revision.proposed = 0;
  revision.approvals.clear();
  revision.detail.clear();
}

Result<void> Start(State& state, const Event& event) {
  const bool seed = event.kind == EventKind::kSeed;
  if (seed != (event.seq == 1))
    return Damaged(event, "a store begins with its seed, and only once");
  if (event.revision != state.NextNumber()) {
    return Error{Code::kStale, "the next revision has the number " +
                                   std::to_string(state.NextNumber()) + ", not " +
                                   std::to_string(event.revision)};
  }
  Revision revision;
  revision.number = event.revision;
  revision.created = event.time;
  Reset(revision, event);
  if (seed) {
    revision.phase = Phase::kKept;
    revision.activated = event.time;
    state.in_force = state.highest_used = revision.number;
  }
  state.revisions.emplace(revision.number, std::move(revision));
  return boost::outcome_v2::success();
}

Result<void> Approve(Revision& revision, const Event& event) {
  if (revision.phase != Phase::kProposed && revision.phase != Phase::kApproved) {
    return Refuse(revision, "approved", "only what was proposed is approved");
  }
  if (event.actor == revision.author) {
    return Error{Code::kNotEntitled, "`" + event.actor + "` is the author of revision " +
                                         std::to_string(revision.number) +
                                         "; another officer must approve it"};
  }
  if (event.until <= event.time) {
    return Error{Code::kNotEntitled, "the approval has expired already"};
  }
  std::erase_if(revision.approvals,
                [&](const Approval& old) { return old.officer == event.actor; });
  revision.approvals.push_back({event.actor, event.time, event.until});
  revision.phase = Phase::kApproved;
  return boost::outcome_v2::success();
}

Result<void> Activate(State& state, Revision& revision, const Event& event) {
  if (!IsOpen(revision.phase)) {
    return revision.number <= state.highest_used
               ? Error{Code::kStale, "revision " + std::to_string(revision.number) + " is " +
                                         std::string(NameOf(revision.phase)) +
                                         "; propose its content again under a new number"}
               : Refuse(revision, "applied", "it is closed");
  }
  if (revision.number <= state.highest_used) {
    return Error{Code::kStale, "revision " + std::to_string(revision.number) +
                                   " was overtaken by revision " +
                                   std::to_string(state.highest_used) +
                                   "; propose its content again under a new number"};
  }
  if (revision.phase != Phase::kApproved) {
    return Refuse(revision, "applied", "it waits for the approval of another officer");
  }
  if (!revision.HasLiveApproval(event.time)) {
    return Error{Code::kNotEntitled, "the approval of revision " + std::to_string(revision.number) +
                                         " has expired; it must be approved again"};
  }
  if (const Revision* current = state.Find(state.in_force);
      current != nullptr && current->phase == Phase::kProbation) {
    return Refuse(revision, "applied",
                  "revision " + std::to_string(current->number) +
                      " is still on probation; keep it or roll it back first");
  }
  if (event.until <= event.time) return Damaged(event, "the probation ends before it begins");
  revision.phase = Phase::kProbation;
  revision.activated = event.time;
  revision.probation_until = event.until;
  revision.replaced = state.in_force;
  state.in_force = state.highest_used = revision.number;
  return boost::outcome_v2::success();
}

Result<void> RollBack(State& state, Revision& revision, const Event& event) {
  if (revision.number != state.in_force) {
    return Refuse(revision, "rolled back", "it is not in force");
  }
  if (revision.replaced == 0) {
    return Refuse(revision, "rolled back", "there is nothing before it");
  }
  revision.phase = Phase::kRolledBack;
  revision.detail = event.detail;
  state.in_force = revision.replaced;
  return boost::outcome_v2::success();
}

Result<void> Change(State& state, const Event& event) {
  const auto found = state.revisions.find(event.revision);
  if (found == state.revisions.end()) {
    return Error{Code::kRevisionState, "there is no revision " + std::to_string(event.revision)};
  }
  Revision& revision = found->second;
  if (event.kind != EventKind::kEdit && event.content != revision.content) {
    return Error{Code::kNotEntitled, "revision " + std::to_string(event.revision) +
                                         " now has the content " + HashText(revision.content) +
                                         "; what was signed is " + HashText(event.content)};
  }
  switch (event.kind) {
    case EventKind::kEdit:
      if (!IsOpen(revision.phase)) return Refuse(revision, "edited", "start a new one");
      Reset(revision, event);
      break;
    case EventKind::kCheck:
      if (revision.phase != Phase::kDraft) return Refuse(revision, "checked", "it was already");
      revision.phase = Phase::kChecked;
      revision.detail = event.detail;
      break;
    case EventKind::kPropose:
      if (revision.phase != Phase::kChecked) {
        return Refuse(revision, "proposed", "only a checked draft is proposed");
      }
      revision.phase = Phase::kProposed;
      revision.author = event.actor;
      revision.proposed = event.time;
      break;
    case EventKind::kApprove:
      return Approve(revision, event);
    case EventKind::kActivate:
      return Activate(state, revision, event);
    case EventKind::kKeep:
      if (revision.phase != Phase::kProbation || revision.number != state.in_force) {
        return Refuse(revision, "kept", "it is not on probation");
      }
      revision.phase = Phase::kKept;
      break;
    case EventKind::kRollback:
      return RollBack(state, revision, event);
    case EventKind::kWithdraw:
      if (!IsOpen(revision.phase)) return Refuse(revision, "withdrawn", "it is closed");
      revision.phase = Phase::kWithdrawn;
      revision.detail = event.detail;
      break;
    default:
      return Damaged(event, "of an unknown kind");
  }
  return boost::outcome_v2::success();
}

}  // namespace

std::string_view NameOf(Phase phase) {
  switch (phase) {
    case Phase::kDraft:
      return "draft";
    case Phase::kChecked:
      return "checked";
    case Phase::kProposed:
      return "proposed";
    case Phase::kApproved:
      return "approved";
    case Phase::kProbation:
      return "probation";
    case Phase::kKept:
      return "kept";
    case Phase::kRolledBack:
      return "rolled back";
    case Phase::kWithdrawn:
      return "withdrawn";
  }
  return "unknown";
}

bool Revision::HasLiveApproval(int64_t now) const {
  return std::ranges::any_of(approvals, [&](const Approval& approval) {
    return approval.expires > now && approval.officer != author;
  });
}

uint64_t State::NextNumber() const { return revisions.empty() ? 1 : revisions.rbegin()->first + 1; }

const Revision* State::Find(uint64_t number) const {
  const auto found = revisions.find(number);
  return found == revisions.end() ? nullptr : &found->second;
}

std::vector<uint64_t> State::Lineage() const {
  std::vector<uint64_t> numbers;
  for (const Revision* at = Find(in_force); at != nullptr; at = Find(at->replaced)) {
    numbers.push_back(at->number);
  }
  return numbers;
}

Result<void> Advance(State& state, const SealedEvent& sealed, const PublicKey& appliance) {
  const Event& event = sealed.event;
  if (event.seq != state.seq + 1) {
    return Damaged(event, "expected number " + std::to_string(state.seq + 1));
  }
  if (event.previous != state.head)
    return Damaged(event, "the chain of hashes is broken before it");
  if (Sha256(Encode(event)) != sealed.hash)
    return Damaged(event, "it was changed: its hash differs");
  if (!VerifySignature(appliance, AsText(sealed.hash), sealed.signature)) {
    return Damaged(event, "the appliance has not signed it");
  }
  if (event.time < state.time) return Damaged(event, "it is dated before the event before it");
  BOOST_OUTCOME_TRY(CheckStatement(state, event, appliance));
  // Both examine everything before they change anything.
  const bool starts = event.kind == EventKind::kSeed || event.kind == EventKind::kDraft;
  BOOST_OUTCOME_TRY(starts ? Start(state, event) : Change(state, event));
  state.seq = event.seq;
  state.time = event.time;
  state.head = sealed.hash;
  if (event.seq == 1) state.first = sealed.hash;
  return boost::outcome_v2::success();
}

}  // namespace portcullis::policy::revise
