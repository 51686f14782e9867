#include "policy/revise/store.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace portcullis::policy::revise {
namespace {

constexpr int64_t kMaxValidSeconds = 90 * 86400;  // of a statement
constexpr int64_t kMaxProbationSeconds = 30 * 86400;
constexpr size_t kMaxWords = 1000;

std::string Words(std::string_view text) {
  size_t size = std::min(text.size(), kMaxWords);
  while (size > 0 && size < text.size() && (text[size] & 0xc0) == 0x80) --size;
  return std::string(text.substr(0, size));
}

std::string Nonce() {
  std::array<unsigned char, 16> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, 33> hex{};
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  return hex.data();
}

}  // namespace

bool RevisionStore::empty() const {
  const std::lock_guard lock(mutex_);
  return state_.seq == 0 && !health_.frozen;
}

Health RevisionStore::health() const {
  const std::lock_guard lock(mutex_);
  Health health = health_;
  if (!anchor_trouble_.empty()) health.complaints.push_back(anchor_trouble_);
  return health;
}

std::string RevisionStore::store_id() const {
  const std::lock_guard lock(mutex_);
  return state_.seq == 0 ? std::string() : StoreId(state_.first);
}

InForce RevisionStore::in_force() const {
  const std::lock_guard lock(mutex_);
  return in_force_;
}

State RevisionStore::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::vector<SealedEvent> RevisionStore::EventsAfter(uint64_t seq) const {
  const std::lock_guard lock(mutex_);
  if (seq >= events_.size()) return {};
  return {events_.begin() + static_cast<std::ptrdiff_t>(seq), events_.end()};
}

Result<Content> RevisionStore::ContentOf(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const Revision* revision = state_.Find(number);
  if (revision == nullptr) {
    return Error{Code::kRevisionState, "there is no revision " + std::to_string(number)};
  }
  return LoadContent(revision->content);
}

Result<void> RevisionStore::RefuseFrozen() const {
  if (!health_.frozen) return boost::outcome_v2::success();
  return Error{Code::kRevisionDamaged,
               "the revision store is frozen until it is repaired: " + health_.complaints.front()};
}

Event RevisionStore::NewEvent(EventKind kind, uint64_t revision, const Hash& content,
                              std::string_view actor) const {
  Event event;
  event.time = std::max(options_.now(), state_.time);
  event.kind = kind;
  event.revision = revision;
  event.content = content;
  event.actor = actor;
  return event;
}

Result<void> RevisionStore::Commit(std::vector<Event> events,
                                   const std::optional<Content>& content) {
  BOOST_OUTCOME_TRY(RefuseFrozen());
  State next = state_;
  std::vector<SealedEvent> sealed;
  for (Event& event : events) {
    event.seq = next.seq + 1;
    event.previous = next.head;
    sealed.push_back(Seal(std::move(event), *options_.appliance));
    BOOST_OUTCOME_TRY(Advance(next, sealed.back(), appliance_key()));
  }
  std::optional<RevisionDatabase::NewContent> row;
  if (content) row = {HashOf(*content), Encode(*content)};
  Step("before the write");
  BOOST_OUTCOME_TRY(database_.Append(state_.seq, state_.head, sealed, row,
                                     [this] { Step("before the commit"); }));
  Step("after the commit");
  const bool swapped = next.in_force != state_.in_force;
  state_ = std::move(next);
  std::ranges::move(sealed, std::back_inserter(events_));
  // The change has happened; an anchor that lags behind is caught up with by the next one.
  static_cast<void>(WriteAnchor());
  Step("after the anchor");
  if (swapped) ChooseInForce();
  return boost::outcome_v2::success();
}

Result<void> RevisionStore::Seed(const Content& content, std::string_view origin) {
  const std::lock_guard lock(mutex_);
  if (state_.seq != 0) return Error{Code::kRevisionState, "the revision store is not empty"};
  const CheckReport report = Check(content);
  if (!report.ok()) {
    return Error{Code::kValidation, "revision 1 cannot be made: " + report.errors.front()};
  }
  Event event = NewEvent(EventKind::kSeed, 1, report.compiled->hash, kAppliance);
  event.detail = Words(origin) + "; " + report.Summary() + "; nonce " + Nonce();
  std::vector<Event> events;
  events.push_back(std::move(event));
  return Commit(std::move(events), content);
}

Result<uint64_t> RevisionStore::SaveDraft(uint64_t number, const Content& content,
                                          std::string_view author) {
  const std::lock_guard lock(mutex_);
  BOOST_OUTCOME_TRY(CheckForm(content));
  const Officer* officer = options_.officers.Find(author);
  if (officer == nullptr || !officer->May(Right::kPropose)) {
    return Error{Code::kNotEntitled,
                 "`" + std::string(author) +
                     "` may not propose: the right `propose` is missing in the configuration"};
  }
  if (state_.seq == 0)
    return Error{Code::kRevisionState, "the revision store has no revision 1 yet"};
  const uint64_t chosen = number == 0 ? state_.NextNumber() : number;
  std::vector<Event> events;
  events.push_back(NewEvent(number == 0 ? EventKind::kDraft : EventKind::kEdit, chosen,
                            HashOf(content), author));
  BOOST_OUTCOME_TRY(Commit(std::move(events), content));
  return chosen;
}

Result<CheckReport> RevisionStore::CheckDraft(uint64_t number) {
  const std::lock_guard lock(mutex_);
  const Revision* revision = state_.Find(number);
  if (revision == nullptr) {
    return Error{Code::kRevisionState, "there is no revision " + std::to_string(number)};
  }
  BOOST_OUTCOME_TRY(const Content content, LoadContent(revision->content));
  CheckReport report = Check(content);
  if (!report.ok() || revision->phase != Phase::kDraft) return report;
  Event event = NewEvent(EventKind::kCheck, number, revision->content, kAppliance);
  event.detail = Words(report.Summary());
  std::vector<Event> events;
  events.push_back(std::move(event));
  BOOST_OUTCOME_TRY(Commit(std::move(events), std::nullopt));
  return report;
}

Result<Statement> RevisionStore::Verified(const SignedStatement& statement, Act act) const {
  BOOST_OUTCOME_TRY(RefuseFrozen());
  BOOST_OUTCOME_TRY(Statement said,
                    options_.officers.Verify(statement, appliance_key(), options_.now()));
  if (said.act != act) {
    return Error{Code::kNotEntitled, "the statement says `" + std::string(NameOf(said.act)) +
                                         "`, asked was `" + std::string(NameOf(act)) + "`"};
  }
  if (state_.seq == 0 || said.store != StoreId(state_.first)) {
    return Error{Code::kNotEntitled, "the statement is for another revision store"};
  }
  // Verify has seen that it expires after now, so that the difference cannot overflow.
  if (said.issued < 0 || said.expires - said.issued > kMaxValidSeconds) {
    return Error{Code::kNotEntitled, "a statement is valid for 90 days at most"};
  }
  for (const SealedEvent& sealed : events_) {
    if (sealed.event.statement && sealed.event.statement->text == statement.text) {
      return Error{Code::kNotEntitled, "the statement was used already, in event " +
                                           std::to_string(sealed.event.seq) + "; sign a new one"};
    }
  }
  return said;
}

Result<void> RevisionStore::BySigned(const SignedStatement& statement, Act act, EventKind kind,
                                     int64_t until, std::string_view detail) {
  BOOST_OUTCOME_TRY(const Statement said, Verified(statement, act));
  const Revision* revision = state_.Find(said.revision);
  if (revision == nullptr) {
    return Error{Code::kRevisionState, "there is no revision " + std::to_string(said.revision)};
  }
  if (said.issued + kClockTolerance < revision->proposed) {
    return Error{Code::kNotEntitled, "the statement is older than the proposal; sign a new one"};
  }
  Event event = NewEvent(kind, said.revision, said.content, said.officer);
  event.until = act == Act::kApprove ? said.expires : until;
  event.detail = Words(detail);
  event.statement = statement;
  std::vector<Event> events;
  events.push_back(std::move(event));
  return Commit(std::move(events), std::nullopt);
}

Result<void> RevisionStore::Propose(const SignedStatement& statement,
                                    const std::optional<Content>& content) {
  const std::lock_guard lock(mutex_);
  BOOST_OUTCOME_TRY(const Statement said, Verified(statement, Act::kPropose));
  const Revision* known = state_.Find(said.revision);
  std::vector<Event> events;
  if (content) {
    BOOST_OUTCOME_TRY(CheckForm(*content));
    if (HashOf(*content) != said.content) {
      return Error{Code::kNotEntitled, "what was sent has the hash " + HashText(HashOf(*content)) +
                                           "; what was signed is " + HashText(said.content)};
    }
    const CheckReport report = Check(*content);
    if (!report.ok()) {
      return Error{Code::kValidation, "the draft was not taken: " + report.errors.front()};
    }
    events.push_back(NewEvent(known ? EventKind::kEdit : EventKind::kDraft, said.revision,
                              said.content, said.officer));
    events.push_back(NewEvent(EventKind::kCheck, said.revision, said.content, kAppliance));
    events.back().detail = Words(report.Summary());
  }
  events.push_back(NewEvent(EventKind::kPropose, said.revision, said.content, said.officer));
  events.back().statement = statement;
  return Commit(std::move(events), content);
}

Result<void> RevisionStore::Approve(const SignedStatement& statement) {
  const std::lock_guard lock(mutex_);
  return BySigned(statement, Act::kApprove, EventKind::kApprove, 0, "");
}

// The approval of an officer who has left or lost the right counts no longer; and the set in force
// has a say in what replaces it.
Result<void> RevisionStore::AskSetInForce(const Revision& revision,
                                          std::string_view officer) const {
  ActivationFacts facts;
  facts.revision = revision.number;
  facts.author = revision.author;
  facts.officer = officer;
  facts.dry_run_hours = (options_.now() - revision.proposed) / 3600;
  for (const Approval& approval : revision.approvals) {
    const Officer* approver = options_.officers.Find(approval.officer);
    if (approval.expires > options_.now() && approver != nullptr &&
        approver->May(Right::kApprove)) {
      facts.approvals.push_back(approval.officer);
    }
  }
  if (facts.approvals.empty() && revision.phase == Phase::kApproved) {
    return Error{Code::kNotEntitled, "no approval of revision " + std::to_string(revision.number) +
                                         " is valid any more; it must be approved again"};
  }
  if (revision.phase == Phase::kApproved && in_force_.compiled &&
      !PermitsActivation(*in_force_.compiled, facts)) {
    return Error{Code::kNotEntitled,
                 "the policy in force does not permit `" + std::string(officer) +
                     "` to activate revision " + std::to_string(revision.number) +
                     " now (action activatePolicy; author " + facts.author + ", dry run of " +
                     std::to_string(facts.dry_run_hours) + " hours)"};
  }
  return boost::outcome_v2::success();
}

Result<void> RevisionStore::Apply(const SignedStatement& statement, int64_t probation_seconds) {
  const std::lock_guard lock(mutex_);
  if (probation_seconds < 1 || probation_seconds > kMaxProbationSeconds) {
    return Error{Code::kValue, "the probation must last from one second to 30 days"};
  }
  BOOST_OUTCOME_TRY(const Statement said, Verified(statement, Act::kApply));
  if (const Revision* revision = state_.Find(said.revision)) {
    BOOST_OUTCOME_TRY(AskSetInForce(*revision, said.officer));
    BOOST_OUTCOME_TRY(CompileHash(revision->content));
  }
  const int64_t until = std::max(options_.now(), state_.time) + probation_seconds;
  return BySigned(statement, Act::kApply, EventKind::kActivate, until, "");
}

Result<void> RevisionStore::Keep(const SignedStatement& statement) {
  const std::lock_guard lock(mutex_);
  return BySigned(statement, Act::kKeep, EventKind::kKeep, 0, "");
}

Result<void> RevisionStore::Rollback(const SignedStatement& statement, std::string_view why) {
  const std::lock_guard lock(mutex_);
  return BySigned(statement, Act::kRollback, EventKind::kRollback, 0, why);
}

Result<void> RevisionStore::Withdraw(const SignedStatement& statement, std::string_view why) {
  const std::lock_guard lock(mutex_);
  return BySigned(statement, Act::kWithdraw, EventKind::kWithdraw, 0, why);
}

Result<bool> RevisionStore::FailProbation(uint64_t number, std::string_view why) {
  const std::lock_guard lock(mutex_);
  const Revision* revision = state_.Find(number);
  if (health_.frozen || revision == nullptr || number != state_.in_force ||
      revision->phase != Phase::kProbation) {
    return false;
  }
  Event event = NewEvent(EventKind::kRollback, number, revision->content, kAppliance);
  event.detail = Words(why);
  std::vector<Event> events;
  events.push_back(std::move(event));
  BOOST_OUTCOME_TRY(Commit(std::move(events), std::nullopt));
  return true;
}

Result<bool> RevisionStore::Tick() {
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    const Revision* current = state_.Find(state_.in_force);
    if (current == nullptr || current->phase != Phase::kProbation ||
        current->probation_until > options_.now()) {
      return false;
    }
    number = current->number;
  }
  return FailProbation(number, "the probation ended and nobody had kept it");
}

Result<SignedStatement> RevisionStore::Vouch(Act act, uint64_t revision, const Hash& content,
                                             std::string_view officer,
                                             int64_t valid_seconds) const {
  const std::lock_guard lock(mutex_);
  const Revision* known = state_.Find(revision);
  if (known == nullptr) {
    return Error{Code::kRevisionState, "there is no revision " + std::to_string(revision)};
  }
  if (known->content != content) {
    return Error{Code::kStale, "revision " + std::to_string(revision) + " has the content " +
                                   HashText(known->content) + " now, not " + HashText(content) +
                                   "; read it again"};
  }
  Statement statement;
  statement.act = act;
  statement.store = StoreId(state_.first);
  statement.revision = revision;
  statement.content = content;
  statement.officer = officer;
  statement.issued = options_.now();
  statement.expires = statement.issued + valid_seconds;
  return SignStatement(statement, *options_.appliance, true);
}

}  // namespace portcullis::policy::revise
