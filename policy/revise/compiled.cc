#include "policy/revise/compiled.h"

#include "policy/cedar/validate.h"

namespace portcullis::policy::revise {
namespace {

using cedar::Value;

// A call as the gateway makes it. What its schema does not take would be refused every time.
DecisionFacts TypicalFacts(bool workload) {
  DecisionFacts facts;
  facts.workload = workload;
  facts.principal = "someone";
  facts.home = facts.device_jurisdiction = "local";
  facts.detected = {"Contact"};
  facts.subject = {"local"};
  return facts;
}

Result<void> CheckFitsGateway(const cedar::Schema& schema) {
  for (const bool workload : {false, true}) {
    const DecisionFacts facts = TypicalFacts(workload);
    for (const Treatment treatment : kLadder) {
      const auto fits = schema.CheckRequest(RequestOf(facts, "site", treatment));
      if (!fits) {
        return Error{Code::kValidation,
                     "the schema does not fit the requests that the gateway makes, so that every "
                     "call would be refused: " +
                         fits.error().message};
      }
    }
  }
  return boost::outcome_v2::success();
}

Result<void> CheckAnnotations(const cedar::PolicySet& policies) {
  for (const std::string& id : policies.Ids()) {
    const auto checked = Obligations::Check(*policies.Annotations(id));
    if (!checked) {
      return Error{Code::kValidation, policies.Where(id) + ": " + checked.error().message};
    }
  }
  return boost::outcome_v2::success();
}

Result<cedar::PolicySet> ParsePolicies(const Content& content) {
  std::vector<cedar::SourceFile> sources;
  for (const TextFile& file : content.policies) sources.push_back({file.name, file.text});
  return cedar::PolicySet::Parse(sources);
}

Result<cedar::Entities> ParseEntities(const Content& content, const cedar::Schema& schema) {
  if (content.facts.empty()) {
    return cedar::Entities::ParseJson(content.entities, &schema, "entities.json");
  }
  BOOST_OUTCOME_TRY(const std::string joined, JoinEntities(content.entities, content.facts,
                                                           "sites and jurisdictions of the "
                                                           "configuration"));
  return cedar::Entities::ParseJson(joined, &schema, "entities.json and the configuration");
}

}  // namespace

Result<std::shared_ptr<const Compiled>> Compiled::Make(const Content& content) {
  BOOST_OUTCOME_TRY(CheckForm(content));
  auto compiled = std::make_shared<Compiled>();
  BOOST_OUTCOME_TRY(compiled->policies, ParsePolicies(content));
  BOOST_OUTCOME_TRY(compiled->schema, cedar::Schema::Parse(content.schema, "schema.cedarschema"));
  BOOST_OUTCOME_TRY(compiled->entities, ParseEntities(content, compiled->schema));
  if (compiled->policies.size() == 0) {
    return Error{Code::kValidation, "the set holds no policy, so every call would be refused"};
  }
  const cedar::Findings findings = cedar::Validate(compiled->policies, compiled->schema);
  if (!findings.errors.empty()) {
    return Error{Code::kValidation, findings.errors.front().message};
  }
  BOOST_OUTCOME_TRY(CheckAnnotations(compiled->policies));
  BOOST_OUTCOME_TRY(CheckFitsGateway(compiled->schema));
  compiled->hash = HashOf(content);
  return std::shared_ptr<const Compiled>(std::move(compiled));
}

std::vector<std::string> WhyChanged(const Compiled& set, const DecisionFacts& facts,
                                    const Outcome& before, const Outcome& now) {
  if (!before.allowed()) return now.policies;
  DecisionFacts again = facts;
  again.ladder = {before.treatment};
  again.sites = {before.site};
  const Outcome then = set.Decide(again);
  if (then.allowed()) return now.policies;
  return then.errors.empty() ? then.policies : then.errors;
}

bool PermitsActivation(const Compiled& in_force, const ActivationFacts& facts) {
  cedar::Request request;
  request.action = {"Gw::Action", "activatePolicy"};
  if (in_force.schema.FindAction(request.action) == nullptr) return true;
  request.principal = {"Gw::User", facts.officer};
  request.resource = {"Gw::PolicyRevision", std::to_string(facts.revision)};

  DecisionFacts officer;
  officer.principal = facts.officer;
  officer.home = "local";
  officer.roles = {"policy-officer"};
  cedar::Entities own;
  own.Add(PrincipalOf(officer));
  cedar::Entity revision;
  revision.uid = request.resource;
  std::vector<Value> approvals;
  for (const std::string& name : facts.approvals)
    approvals.push_back(Value::Entity("Gw::User", name));
  revision.attrs.emplace_back("author", Value::Entity("Gw::User", facts.author));
  revision.attrs.emplace_back("approvals", Value::Set(std::move(approvals)));
  revision.attrs.emplace_back("dryRunHours", Value::Long(facts.dry_run_hours));
  own.Add(std::move(revision));
  const cedar::Response answer =
      cedar::Authorize(in_force.policies, in_force.entities, own, request);
  return answer.allow && answer.errors.empty();
}

}  // namespace portcullis::policy::revise
