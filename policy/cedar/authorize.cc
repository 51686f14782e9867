#include "policy/cedar/authorize.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "policy/cedar/eval.h"
#include "policy/cedar/index.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

using Positions = boost::container::small_vector<uint32_t, 16>;

void Tidy(Positions& positions) {
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
}

struct Failure {
  uint32_t position;
  std::string message;
};

Response Decide(const PolicySet& policies, const EntityView& entities, const Request& request) {
  const Value principal = Value::Entity(request.principal);
  const Value action = Value::Entity(request.action);
  const Value resource = Value::Entity(request.resource);
  Evaluator evaluator(entities, principal, action, resource, request.context);
  Positions permits, forbids;
  std::vector<Failure> failures;
  const std::vector<Policy>& all = policies.policies();
  policies.index().ForEachCandidate(entities, principal, action, resource, [&](uint32_t position) {
    const Policy& policy = all[position];
    switch (evaluator.Evaluate(policy)) {
      case Outcome::kUnsatisfied:
        break;
      case Outcome::kSatisfied:
        (policy.effect == Effect::kForbid ? forbids : permits).push_back(position);
        break;
      case Outcome::kError: {
        const SourceFile& file = policies.files().FileOf(policy);
        failures.push_back({position, LocationText(file.name, file.text, evaluator.error_offset()) +
                                          ": " + evaluator.error_message()});
        break;
      }
    }
  });

  Response response;
  response.allow = forbids.empty() && !permits.empty();
  Positions& determining = forbids.empty() ? permits : forbids;
  Tidy(determining);
  for (const uint32_t position : determining) response.reasons.push_back(all[position].id);
  std::sort(failures.begin(), failures.end(),
            [](const Failure& a, const Failure& b) { return a.position < b.position; });
  for (Failure& failure : failures) {
    const std::string& id = all[failure.position].id;
    if (!response.errors.empty() && response.errors.back() == id) continue;
    response.errors.push_back(id);
    response.messages.push_back(std::move(failure.message));
  }
  return response;
}

}  // namespace

Response Authorize(const PolicySet& policies, const Entities& entities, const Request& request) {
  return Decide(policies, EntityView(entities, nullptr), request);
}

Response Authorize(const PolicySet& policies, const Entities& base,
                   const Entities& request_entities, const Request& request) {
  return Decide(policies, EntityView(base, &request_entities), request);
}

}  // namespace portcullis::policy::cedar
