#include "audit/report/revisions.h"

#include <algorithm>

#include "audit/report/document.h"
#include "audit/report/fields.h"

namespace portcullis::audit {
namespace {

const std::string kStepPrefix = "policy_";

std::string Name(const PolicyRevision& revision) {
  return revision.number == 0 ? "another policy folder" : "revision " + std::to_string(revision.number);
}

bool Within(uint64_t us, const Period& period) { return us >= period.begin_us && us < period.end_us; }

bool Concerns(const PolicyRevision& revision, uint64_t withdrawn_us, const Period& period) {
  return Within(revision.proposed_us, period) || Within(withdrawn_us, period) ||
         std::ranges::any_of(revision.approvals, [&](const auto& one) { return Within(one.at_us, period); }) ||
         std::ranges::any_of(revision.spans, [&](const auto& span) {
           return span.from_us < period.end_us && (span.to_us == 0 || span.to_us >= period.begin_us);
         });
}

}  // namespace

std::optional<size_t> RevisionBook::Find(uint64_t number, const Hash& hash) {
  const auto found = std::ranges::find_if(all_, [&](const Entry& one) {
    return one.told.number == number && (number != 0 || one.told.hash == hash);
  });
  if (found != all_.end()) return static_cast<size_t>(found - all_.begin());
  if (all_.size() >= kMaxRevisions) return std::nullopt;
  all_.emplace_back().told.number = number;
  all_.back().told.hash = hash;
  return all_.size() - 1;
}

void RevisionBook::End(uint64_t at_us, const std::string& words) {
  if (!current_) return;
  PolicyRevision::Span& span = all_[*current_].told.spans.back();
  span.to_us = at_us;
  span.ended = words;
  current_.reset();
}

void RevisionBook::PutInForce(size_t index, uint64_t at_us, const std::string& began, const std::string& ends) {
  if (current_ != index) {
    if (current_) all_[index].replaced = current_;
    End(at_us, ends);
    all_[index].told.spans.push_back({at_us, 0, began, {}});
    current_ = index;
  }
}

void RevisionBook::RollBack(size_t index, uint64_t at_us, const std::string& who, const std::string& why) {
  const std::string words = "rolled back by " + who + (why.empty() ? "" : ": " + why);
  auto& spans = all_[index].told.spans;
  if (current_ != index) {  // a start found the older one in force before this was told
    if (!spans.empty()) spans.back().ended = words;
    return;
  }
  End(at_us, words);
  const std::optional<size_t> before = all_[index].replaced;
  if (!before) return;  // the next decision says what is in force
  all_[*before].told.spans.push_back({at_us, 0, Name(all_[index].told) + " was rolled back by " + who, {}});
  current_ = before;
}

void RevisionBook::TakeStep(const Leaf& leaf, const boost::json::object& facts, const std::string& step) {
  const auto index = Find(fields::Number(facts, "revision"), leaf.policy_hash);
  if (!index) return;
  PolicyRevision& told = all_[*index].told;
  const std::string who = fields::Line(facts, "subject");
  told.hash = leaf.policy_hash;
  if (step == "draft" || step == "edit") {
    told.proposed_by.clear();
    told.proposed_us = 0;
    told.approvals.clear();
  } else if (step == "propose") {
    told.proposed_by = who;
    told.proposed_us = leaf.wall_us;
  } else if (step == "approve") {
    told.approvals.push_back({who, leaf.wall_us});
  } else if (step == "withdraw") {
    told.withdrawn = "by " + who + ", " + UtcText(leaf.wall_us);
    all_[*index].withdrawn_us = leaf.wall_us;
  } else if (step == "rollback") {
    RollBack(*index, leaf.wall_us, who, fields::Line(facts, "detail"));
  } else if (step == "seed" || step == "activate") {
    const std::string began = step == "seed" ? "the first policy, from the appliance's folder, without approval"
                                             : "put in force by " + who;
    PutInForce(*index, leaf.wall_us, began, Name(told) + " was put in force by " + who);
    if (current_ == *index) told.spans.back().began = began;  // a start may have found it already
  }
}

void RevisionBook::Take(const Leaf& leaf, const boost::json::object& facts) {
  if (leaf.policy_hash == Hash{}) return;
  const std::string operation = fields::Text(facts, "operation");
  const bool decision = leaf.kind == Kind::kDecision;
  const bool start = leaf.kind == Kind::kConfig && operation.empty() && fields::Text(facts, "what") == "start";
  if (start || (decision && !current_)) {
    const auto index = Find(fields::Number(facts, decision ? "revision_number" : "revision"), leaf.policy_hash);
    if (!index) return;
    PutInForce(*index, leaf.wall_us, start ? "in force at a start of the gateway" : "in force at a decision",
               "a start of the gateway found " + Name(all_[*index].told) + " in force");
    return;
  }
  // Requests have the same operations; what they led to has the number of its event.
  if (operation.starts_with(kStepPrefix) && facts.contains("event")) {
    TakeStep(leaf, facts, operation.substr(kStepPrefix.size()));
  }
}

std::vector<PolicyRevision> RevisionBook::Of(const Period& period) const {
  std::vector<PolicyRevision> out;
  for (const Entry& entry : all_) {
    if (Concerns(entry.told, entry.withdrawn_us, period)) out.push_back(entry.told);
  }
  return out;
}

}  // namespace portcullis::audit
