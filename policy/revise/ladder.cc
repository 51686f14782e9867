#include "policy/revise/ladder.h"

#include <set>

namespace portcullis::policy::revise {
namespace {

using cedar::Value;

Value Uid(const char* type, const std::string& id) {
  return Value::Entity(std::string("Gw::") + type, id);
}

Value UidSet(const char* type, const std::vector<std::string>& ids) {
  std::vector<Value> values;
  values.reserve(ids.size());
  for (const std::string& id : ids) values.push_back(Uid(type, id));
  return Value::Set(std::move(values));
}

const std::vector<std::string>& LeftAfter(const DecisionFacts& facts, Treatment treatment) {
  if (treatment == Treatment::kForward) return facts.detected;
  return treatment == Treatment::kPseudonymised ? facts.left_pseudonymised : facts.left_redacted;
}

Value ContextOf(const DecisionFacts& facts, Treatment treatment) {
  std::vector<Value::Field> fields;
  fields.reserve(16);
  // In the order of their names, in which a record keeps them. An address that is none leaves the
  // attribute out: policies that ask for it then error, which means no.
  if (auto ip = Value::ParseIp(facts.client_ip)) fields.emplace_back("clientIp", ip.value());
  if (facts.consent_ref) fields.emplace_back("consentRef", Value::String(*facts.consent_ref));
  fields.emplace_back("detected", UidSet("DataClass", facts.detected));
  fields.emplace_back(
      "device", Value::Record({{"government", Value::Bool(facts.device_government)},
                               {"jurisdiction", Uid("Jurisdiction", facts.device_jurisdiction)},
                               {"managed", Value::Bool(facts.device_managed)}}));
  fields.emplace_back("leaving", UidSet("DataClass", LeftAfter(facts, treatment)));
  if (facts.legal_basis) fields.emplace_back("legalBasis", Value::String(*facts.legal_basis));
  fields.emplace_back("now", Value::Datetime(facts.now_ms));
  fields.emplace_back("purpose", Uid("Purpose", facts.purpose));
  fields.emplace_back("scanComplete", Value::Bool(facts.scan_complete));
  fields.emplace_back("subject", UidSet("Jurisdiction", facts.subject));
  fields.emplace_back("subjects", Value::Long(facts.subjects));
  fields.emplace_back("subjectsYtd", Value::Long(facts.subjects_ytd));
  fields.emplace_back("topSeverity", Value::Long(facts.top_severity));
  fields.emplace_back("zone", Uid("Zone", facts.zone));
  return Value::Record(std::move(fields));
}

// What the refusals on the way down have said so far.
struct Refusal {
  std::set<std::string, std::less<>> deniers;
  std::set<std::string, std::less<>> broken;
  Obligations obligations;

  void Add(const cedar::PolicySet& policies, const cedar::Response& answer) {
    for (const std::string& id : answer.errors) broken.emplace(policies.Label(id));
    if (answer.allow) return;  // the permits of an answer that an error spoilt deny nothing
    for (const std::string& id : answer.reasons) {
      deniers.emplace(policies.Label(id));  // no label is unique: each denier has its say
      if (const auto* notes = policies.Annotations(id)) obligations.Merge(*notes);
    }
  }
};

}  // namespace

std::string_view ToString(Treatment treatment) {
  switch (treatment) {
    case Treatment::kRefused:
      return "refused";
    case Treatment::kForward:
      return "forward";
    case Treatment::kPseudonymised:
      return "forwardPseudonymised";
    case Treatment::kRedacted:
      return "forwardRedacted";
  }
  return "refused";
}

std::optional<Treatment> TreatmentFromString(std::string_view text) {
  for (const Treatment treatment : {Treatment::kRefused, Treatment::kForward,
                                    Treatment::kPseudonymised, Treatment::kRedacted}) {
    if (ToString(treatment) == text) return treatment;
  }
  return std::nullopt;
}

cedar::Request RequestOf(const DecisionFacts& facts, std::string_view site, Treatment treatment) {
  cedar::Request request;
  request.principal = {facts.workload ? "Gw::Workload" : "Gw::User", facts.principal};
  request.action = {"Gw::Action", std::string(ToString(treatment))};
  request.resource = {"Gw::Backend", std::string(site)};
  request.context = ContextOf(facts, treatment);
  return request;
}

cedar::Entity PrincipalOf(const DecisionFacts& facts) {
  cedar::Entity entity;
  entity.uid = {facts.workload ? "Gw::Workload" : "Gw::User", facts.principal};
  entity.attrs.emplace_back("home", Uid("Jurisdiction", facts.home));
  entity.attrs.emplace_back("clearance", Value::Long(facts.clearance));
  if (!facts.workload) {
    entity.attrs.emplace_back("citizenships", UidSet("Jurisdiction", facts.citizenships));
  }
  for (const std::string& name : facts.departments) {
    entity.parents.push_back({"Gw::Department", name});
  }
  for (const std::string& name : facts.roles) entity.parents.push_back({"Gw::Role", name});
  return entity;
}

Outcome Climb(const cedar::PolicySet& policies, const cedar::Entities& entities,
              const DecisionFacts& facts) {
  cedar::Entities own;
  own.Add(PrincipalOf(facts));
  std::vector<cedar::Request> rungs;
  rungs.reserve(facts.ladder.size());
  for (const Treatment treatment : facts.ladder) rungs.push_back(RequestOf(facts, "", treatment));

  Outcome outcome;
  Refusal refusal;
  for (const std::string& site : facts.sites) {
    for (size_t i = 0; i < rungs.size(); ++i) {
      rungs[i].resource.id = site;
      const cedar::Response answer = cedar::Authorize(policies, entities, own, rungs[i]);
      if (!answer.allow || !answer.errors.empty()) {
        refusal.Add(policies, answer);
        continue;
      }
      outcome.treatment = facts.ladder[i];
      outcome.site = site;
      for (const std::string& id : answer.reasons) {
        outcome.policies.emplace_back(policies.Label(id));
        if (const auto* notes = policies.Annotations(id)) outcome.obligations.Merge(*notes);
      }
      return outcome;
    }
  }
  outcome.policies.assign(refusal.deniers.begin(), refusal.deniers.end());
  outcome.errors.assign(refusal.broken.begin(), refusal.broken.end());
  outcome.obligations = std::move(refusal.obligations);
  return outcome;
}

}  // namespace portcullis::policy::revise
