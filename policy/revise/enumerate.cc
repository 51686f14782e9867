#include "policy/revise/enumerate.h"

#include <algorithm>

namespace portcullis::policy::revise {
namespace {

bool IsCore(const Dimension& dimension) {
  return dimension.name == "class" || dimension.name == "site" || dimension.name == "subject";
}

// Positions of the dimensions with a choice, the most important first.
std::vector<size_t> ByImportance(const std::vector<Dimension>& dimensions,
                                 const Speech& differing) {
  const auto rank = [&](size_t at) {
    if (IsCore(dimensions[at])) return 0;
    const bool asked = std::ranges::any_of(
        dimensions[at].inputs, [&](const std::string& input) { return differing.Has(input); });
    return asked ? 1 : 2;
  };
  std::vector<size_t> out;
  for (size_t i = 0; i < dimensions.size(); ++i) {
    if (dimensions[i].choices.size() > 1) out.push_back(i);
  }
  std::ranges::stable_sort(out, {}, rank);
  return out;
}

std::string JoinNames(const std::vector<Dimension>& dimensions, const std::vector<size_t>& which) {
  std::string out;
  for (size_t i = 0; i < which.size(); ++i) {
    if (i > 0) out += i + 1 == which.size() ? " and " : ", ";
    out += dimensions[which[i]].name;
  }
  return out;
}

class Planner {
 public:
  Planner(Plan& plan, const Speech& differing)
      : plan_(plan), order_(ByImportance(plan.dimensions, differing)) {}

  void Make() {
    Space first;
    for (const size_t at : order_) {
      if (!Take(first, at, kMaxCells)) left_.push_back(at);
    }
    Finish(std::move(first));
    for (size_t i = 0; i < left_.size(); ++i) {
      if (i < kMaxOwnSpaces) {
        MakeOwn(left_[i]);
      } else {
        plan_.not_compared.push_back("other choices of " + plan_.dimensions[left_[i]].name +
                                     " than `" + Usual(left_[i]) + "`: too many kinds of call");
      }
    }
    if (left_.size() > 1) {
      plan_.not_compared.push_back("combinations of " + JoinNames(plan_.dimensions, left_) +
                                   " with each other: too many kinds of call");
    }
  }

 private:
  std::string Usual(size_t at) const { return plan_.dimensions[at].choices.front().label; }

  bool Take(Space& space, size_t at, size_t limit) const {
    const size_t choices = plan_.dimensions[at].choices.size();
    if (space.cells * choices > limit) return false;
    space.cells *= choices;
    space.varied.push_back(at);
    return true;
  }

  void Finish(Space space) {
    std::ranges::sort(space.varied);
    plan_.spaces.push_back(std::move(space));
  }

  void MakeOwn(size_t own) {
    Space space;
    space.own = own;
    Take(space, own, kMaxOwnCells);
    std::vector<size_t> fixed;
    for (const size_t at : order_) {
      if (std::ranges::find(left_, at) != left_.end()) continue;
      if (!Take(space, at, kMaxOwnCells)) fixed.push_back(at);
    }
    if (!fixed.empty()) {
      plan_.not_compared.push_back("other choices of " + plan_.dimensions[own].name + " than `" +
                                   Usual(own) + "` in combination with " +
                                   JoinNames(plan_.dimensions, fixed) + ": too many kinds of call");
    }
    Finish(std::move(space));
  }

  Plan& plan_;
  const std::vector<size_t> order_;
  std::vector<size_t> left_;  // did not fit into the first space
};

}  // namespace

DecisionFacts Plan::At(const Space& space, const std::vector<uint16_t>& position) const {
  DecisionFacts facts;
  size_t next = 0;
  for (size_t i = 0; i < dimensions.size(); ++i) {
    const bool varies = next < space.varied.size() && space.varied[next] == i;
    dimensions[i].choices[varies ? position[next++] : 0].apply(facts);
  }
  return facts;
}

Plan PlanOf(const Side& before, const Side& after, const Speech& speech, const Speech& differing,
            int64_t now_ms) {
  Plan plan;
  Dimensions dimensions = DimensionsOf(before, after, speech, now_ms);
  plan.dimensions = std::move(dimensions.all);
  for (const std::string& name : dimensions.too_many) {
    plan.not_compared.push_back("different choices of " + name + ": the policies name too many");
  }
  Planner(plan, differing).Make();
  return plan;
}

}  // namespace portcullis::policy::revise
