#include "policy/cedar/authorize.h"

#include <algorithm>

#include "policy/cedar/eval.h"
#include "policy/cedar/index.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

void Tidy(std::vector<uint32_t>& positions) {
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
}

Response Answer(const PolicySet& policies, const EntityView& entities, const Request& request) {
  const Question question = Question::Of(request);
  Decision decision;
  Decide(policies, entities, question, decision);
  Response response;
  response.allow = decision.allow;
  const std::vector<Policy>& all = policies.policies();
  for (const uint32_t position : decision.reasons) response.reasons.push_back(all[position].id);
  for (const uint32_t position : decision.errors) {
    response.errors.push_back(all[position].id);
    response.messages.push_back(Explain(policies, entities, question, position));
  }
  return response;
}

}  // namespace

Question Question::Of(const Request& request) {
  return {Value::Entity(request.principal), Value::Entity(request.action),
          Value::Entity(request.resource), request.context};
}

void Decide(const PolicySet& policies, const EntityView& entities, const Question& question,
            Decision& decision) {
  decision.reasons.clear();
  decision.errors.clear();
  Evaluator evaluator(entities, question.principal, question.action, question.resource,
                      question.context);
  const std::vector<Policy>& all = policies.policies();
  bool forbidden = false;
  policies.index().ForEachCandidate(entities, question.principal, question.action,
                                    question.resource, [&](uint32_t position) {
                                      const Policy& policy = all[position];
                                      const Outcome outcome = evaluator.Evaluate(policy);
                                      if (outcome == Outcome::kError)
                                        decision.errors.push_back(position);
                                      if (outcome != Outcome::kSatisfied) return;
                                      const bool forbid = policy.effect == Effect::kForbid;
                                      if (forbid && !forbidden)
                                        decision.reasons.clear();  // the permits so far
                                      forbidden = forbidden || forbid;
                                      if (forbid == forbidden) decision.reasons.push_back(position);
                                    });
  decision.allow = !forbidden && !decision.reasons.empty();
  Tidy(decision.reasons);
  Tidy(decision.errors);
}

std::string Explain(const PolicySet& policies, const EntityView& entities, const Question& question,
                    uint32_t position) {
  Evaluator evaluator(entities, question.principal, question.action, question.resource,
                      question.context);
  const Policy& policy = policies.policies()[position];
  if (evaluator.Evaluate(policy) != Outcome::kError) return {};
  const SourceFile& file = policies.files().FileOf(policy);
  return LocationText(file.name, file.text, evaluator.error_offset()) + ": " +
         evaluator.error_message();
}

Response Authorize(const PolicySet& policies, const Entities& entities, const Request& request) {
  return Answer(policies, EntityView(entities, nullptr), request);
}

Response Authorize(const PolicySet& policies, const Entities& base,
                   const Entities& request_entities, const Request& request) {
  return Answer(policies, EntityView(base, &request_entities), request);
}

}  // namespace portcullis::policy::cedar
