#include "policy/classify/resolver.h"

#include <algorithm>
#include <tuple>

namespace portcullis::policy {

bool Resolver::Outranks(const Candidate& left, const Candidate& right) {
  const auto key = [](const Candidate& c) {
    return std::tuple(c.finding.severity, c.finding.confidence, c.finding.end - c.finding.start);
  };
  if (key(left) != key(right)) return key(left) > key(right);
  return left.rank < right.rank;
}

bool Resolver::Candidate::operator<(const Candidate& other) const {
  if (finding.start != other.finding.start) return finding.start < other.finding.start;
  if (Outranks(*this, other)) return true;
  if (Outranks(other, *this)) return false;
  return finding.kind < other.finding.kind;
}

void Resolver::Keep(Candidate candidate, uint64_t start, uint64_t end) {
  if (end < start + kMinRemainder) return;
  candidate.finding.start = start;
  candidate.finding.end = end;
  pending_.insert(std::move(candidate));
}

void Resolver::Take(const Candidate& candidate, std::vector<Finding>& out) {
  if (!current_) {
    current_ = candidate;
    return;
  }
  Finding& held = current_->finding;
  if (candidate.finding.start >= held.end) {
    out.push_back(held);
    current_ = candidate;
  } else if (!Outranks(candidate, *current_)) {
    if (candidate.finding.end > held.end) Keep(candidate, held.end, candidate.finding.end);
  } else {
    if (held.end > candidate.finding.end) Keep(*current_, candidate.finding.end, held.end);
    if (candidate.finding.start >= held.start + kMinRemainder) {
      held.end = candidate.finding.start;
      out.push_back(held);
    }
    current_ = candidate;
  }
}

void Resolver::Advance(uint64_t horizon, std::vector<Finding>& out) {
  while (!pending_.empty() && pending_.begin()->finding.start < horizon) {
    const Candidate next = *pending_.begin();
    pending_.erase(pending_.begin());
    Take(next, out);
  }
  if (current_ && current_->finding.end <= horizon) {
    out.push_back(current_->finding);
    current_.reset();
  }
}

void Resolver::CutAt(uint64_t start, std::vector<Finding>& out) {
  Advance(start, out);
  if (current_ && start >= current_->finding.start + kMinRemainder) {
    current_->finding.end = std::min(current_->finding.end, start);
    out.push_back(current_->finding);
  }
  current_.reset();
  pending_.clear();
}

uint64_t Resolver::Settled(uint64_t horizon) const {
  uint64_t settled = horizon;
  if (current_) settled = std::min(settled, current_->finding.start);
  if (!pending_.empty()) settled = std::min(settled, pending_.begin()->finding.start);
  return settled;
}

}  // namespace portcullis::policy
