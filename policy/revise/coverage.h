// Which conditions the compared calls have tried. A comparison proves nothing about a condition
// that was true in no call it made, so each condition of each rule about transfers is watched: was
// it reached with true, and with false? What was not is told in the words of the rule. Conditions
// that speak of the site or the action only are exempt, because all sites and actions are asked.
// Not for use by several threads at once.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "policy/cedar/authorize.h"
#include "policy/revise/changed_rules.h"

namespace portcullis::policy::cedar {
class Evaluator;
}

namespace portcullis::policy::revise {

class Coverage {
 public:
  static constexpr size_t kMaxTries = 200'000'000;  // of one rule in one call

  // `rules`: of `set`, which must outlive this.
  void Watch(const Compiled& set, const cedar::Policy& rule, bool differs);

  // Nothing is left to try, or so much was tried that the rest is told as untried.
  bool finished() const { return watched_ == 0 || tries_ > kMaxTries; }
  // One call, put to the rules that still have something untried.
  void Try(const cedar::Entities& own, const cedar::Question& question);

  // "calls in which `context.scanComplete` is false (rule `x`, policy.cedar:12)"
  std::vector<std::string> Untried() const;

 private:
  struct Node {
    const cedar::Expr* expr = nullptr;
    bool connective = false;
    bool exempt = false;
    bool was_true = false;
    bool was_false = false;
    std::vector<Node*> parts;
  };
  struct Rule {
    const Compiled* set = nullptr;
    const cedar::Policy* policy = nullptr;
    cedar::Policy head;  // without its conditions
    bool differs = false;
    bool reached = false;
    bool applied = false;
    std::vector<Node*> conditions;
    bool finished = false;
  };
  enum class Answer : uint8_t { kNo, kYes, kError };

  Node* Build(const cedar::Expr& expr);
  Answer Ask(cedar::Evaluator& evaluator, Node& node);
  static bool Seen(const Node& node);
  static bool Limits(const Node& part, cedar::Op connective);
  bool Tell(const Rule& rule, const Node& node, std::vector<std::string>& out) const;

  std::deque<Node> nodes_;
  std::deque<Rule> rules_;
  size_t watched_ = 0;  // rules that are not finished
  size_t tries_ = 0;
};

}  // namespace portcullis::policy::revise
