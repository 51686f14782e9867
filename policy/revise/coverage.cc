#include "policy/revise/coverage.h"

#include <algorithm>

#include "policy/cedar/eval.h"
#include "policy/cedar/print.h"

namespace portcullis::policy::revise {
namespace {

using cedar::Expr;
using cedar::Op;

constexpr size_t kMaxShown = 200;  // bytes of an expression

bool AsksAboutTheCall(const Expr& expr) {
  if (expr.constant) return false;
  if (expr.op == Op::kVar) {
    return expr.var == cedar::Var::kPrincipal || expr.var == cedar::Var::kContext;
  }
  return std::ranges::any_of(expr.args, [](const Expr* arg) { return AsksAboutTheCall(*arg); });
}

std::string Shown(const Expr& expr) {
  std::string text = cedar::PrintExpr(expr);
  if (text.size() <= kMaxShown) return text;
  size_t size = kMaxShown;
  while (size > 0 && (text[size] & 0xc0) == 0x80) --size;
  return text.substr(0, size) + "…";
}

}  // namespace

Coverage::Node* Coverage::Build(const Expr& expr) {
  Node& node = nodes_.emplace_back();
  node.expr = &expr;
  node.connective = !expr.constant && (expr.op == Op::kAnd || expr.op == Op::kOr ||
                                       expr.op == Op::kNot || expr.op == Op::kIf);
  node.exempt = !AsksAboutTheCall(expr);
  if (node.connective) {
    for (const Expr* arg : expr.args) {
      Node* part = Build(*arg);
      node.parts.push_back(part);
    }
  }
  return &node;
}

void Coverage::Watch(const Compiled& set, const cedar::Policy& rule, bool differs) {
  Rule& watched = rules_.emplace_back();
  watched.set = &set;
  watched.policy = &rule;
  watched.head = rule;
  watched.head.conditions.clear();
  watched.differs = differs;
  for (const cedar::Condition& condition : rule.conditions) {
    watched.conditions.push_back(Build(*condition.body));
  }
  ++watched_;
}

// As the language does it: what stops early does not reach the rest.
Coverage::Answer Coverage::Ask(cedar::Evaluator& evaluator, Node& node) {
  Answer answer = Answer::kError;
  if (!node.connective) {
    const auto value = evaluator.Evaluate(*node.expr);
    if (value && value.value().IsBool()) {
      answer = value.value().bool_value() ? Answer::kYes : Answer::kNo;
    }
  } else if (node.expr->op == Op::kNot) {
    const Answer inner = Ask(evaluator, *node.parts[0]);
    answer = inner == Answer::kError ? inner : inner == Answer::kYes ? Answer::kNo : Answer::kYes;
  } else if (node.expr->op == Op::kIf) {
    const Answer condition = Ask(evaluator, *node.parts[0]);
    if (condition == Answer::kError) return condition;
    answer = Ask(evaluator, *node.parts[condition == Answer::kYes ? 1 : 2]);
  } else {
    const Answer stop = node.expr->op == Op::kAnd ? Answer::kNo : Answer::kYes;
    for (Node* part : node.parts) {
      answer = Ask(evaluator, *part);
      if (answer == stop || answer == Answer::kError) break;
    }
  }
  node.was_true |= answer == Answer::kYes;
  node.was_false |= answer == Answer::kNo;
  return answer;
}

bool Coverage::Seen(const Node& node) {
  if (!node.exempt && !(node.was_true && node.was_false)) return false;
  return std::ranges::all_of(node.parts, [](const Node* part) { return Seen(*part); });
}

void Coverage::Try(const cedar::Entities& own, const cedar::Question& question) {
  for (Rule& rule : rules_) {
    if (rule.finished) continue;
    ++tries_;
    const cedar::EntityView view(rule.set->entities, &own);
    cedar::Evaluator evaluator(view, question.principal, question.action, question.resource,
                               question.context);
    if (evaluator.Evaluate(rule.head) != cedar::Outcome::kSatisfied) continue;
    rule.reached = true;
    bool applied = true;
    for (size_t i = 0; i < rule.conditions.size() && applied; ++i) {
      const Answer answer = Ask(evaluator, *rule.conditions[i]);
      applied = answer == (rule.policy->conditions[i].unless ? Answer::kNo : Answer::kYes);
    }
    rule.applied |= applied;
    rule.finished = rule.applied && std::ranges::all_of(rule.conditions, [](const Node* node) {
                      return Seen(*node);
                    });
    if (rule.finished) --watched_;
  }
}

// Whether a condition about sites or actions, of which there are no others than those asked, keeps
// the connective around it from one of its answers.
bool Coverage::Limits(const Node& part, Op connective) {
  if (!part.exempt) return false;
  if (connective == Op::kAnd) return !part.was_true;
  if (connective == Op::kOr) return !part.was_false;
  return !part.was_true || !part.was_false;
}

// Tells the innermost conditions that explain what is missing. True when it is explained.
bool Coverage::Tell(const Rule& rule, const Node& node, std::vector<std::string>& out) const {
  const bool both = node.was_true && node.was_false;
  if (node.exempt) return !both;
  bool told = false;
  for (const Node* part : node.parts) {
    told |= part->exempt ? Limits(*part, node.expr->op) : Tell(rule, *part, out);
  }
  const bool reached = node.was_true || node.was_false;
  if (told || both || !reached) return told;  // what stands before the unreached is told
  out.push_back("calls in which `" + Shown(*node.expr) + "` is " +
                (node.was_true ? "false" : "true") + " (rule `" +
                std::string(rule.set->policies.Label(rule.policy->id)) + "`, " +
                rule.set->policies.Where(rule.policy->id) + ")");
  return true;
}

std::vector<std::string> Coverage::Untried() const {
  std::vector<std::string> first;  // of rules that differ
  std::vector<std::string> rest;
  for (const Rule& rule : rules_) {
    if (rule.finished) continue;
    std::vector<std::string>& out = rule.differs ? first : rest;
    const std::string name = "rule `" + std::string(rule.set->policies.Label(rule.policy->id)) +
                             "`, " + rule.set->policies.Where(rule.policy->id);
    if (!rule.reached) {
      const bool by_site = rule.policy->principal.op == cedar::ScopeOp::kAny;
      if (rule.differs || !by_site) {
        out.push_back("calls that the head of a rule speaks of (" + name + ")");
      }
      continue;
    }
    if (rule.differs && !rule.applied)
      out.push_back("calls to which a rule applies (" + name + ")");
    bool told = false;
    for (const Node* condition : rule.conditions) told |= Tell(rule, *condition, out);
    if (!told && rule.applied)
      out.push_back("all parts of the conditions of a rule (" + name + ")");
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

}  // namespace portcullis::policy::revise
