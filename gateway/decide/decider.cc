#include "gateway/decide/decider.h"

#include <algorithm>
#include <array>
#include <set>

namespace portcullis::gateway {

namespace cedar = policy::cedar;
using cedar::EntityUid;
using cedar::Value;

namespace {

Value Entity(const char* type, std::string_view id) {
  return Value::Entity(std::string("Gw::") + type, std::string(id));
}

template <class Range>
Value EntitySet(const char* type, const Range& ids) {
  std::vector<Value> values;
  for (const auto& id : ids) values.push_back(Entity(type, id));
  return Value::Set(std::move(values));
}

std::string HomeOf(const Identity& who, const DeciderOptions& options) {
  return who.home().empty() ? options.jurisdiction : who.home();
}

cedar::Entity PrincipalEntity(const Identity& who, const EntityUid& uid, const std::string& home) {
  cedar::Entity entity;
  entity.uid = uid;
  entity.attrs.emplace_back("home", Entity("Jurisdiction", home));
  entity.attrs.emplace_back("clearance", Value::Long(who.clearance()));
  if (who.kind() == EntityKind::kUser) {
    entity.attrs.emplace_back("citizenships", Value::Set({}));
  }
  for (const auto& name : who.departments()) entity.parents.push_back({"Gw::Department", name});
  for (const auto& name : who.roles()) entity.parents.push_back({"Gw::Role", name});
  return entity;
}

Value Context(const ScanResult& found, bool redacted, const Peer& peer, std::string_view purpose,
              const std::string& home, const DeciderOptions& options, int64_t now_s) {
  std::vector<Value::Field> fields;
  fields.emplace_back("detected", EntitySet("DataClass", found.classes));
  fields.emplace_back("leaving", EntitySet("DataClass", redacted ? found.Unredactable() : found.classes));
  fields.emplace_back("topSeverity", Value::Long(found.top_severity));
  fields.emplace_back("scanComplete", Value::Bool(found.complete));
  fields.emplace_back("subject", EntitySet("Jurisdiction", found.subject_jurisdictions));
  fields.emplace_back("subjects", Value::Long(static_cast<int64_t>(found.subjects)));
  fields.emplace_back("subjectsYtd", Value::Long(static_cast<int64_t>(found.subjects)));
  const std::string address =
      peer.kind == Peer::Kind::kTls ? peer.address.to_string() : std::string("127.0.0.1");
  auto ip = Value::ParseIp(address.substr(0, address.find('%')));
  if (ip) fields.emplace_back("clientIp", std::move(ip.value()));
  fields.emplace_back("zone", Entity("Zone", options.zone));
  fields.emplace_back("device", Value::Record({{"managed", Value::Bool(false)},
                                               {"government", Value::Bool(false)},
                                               {"jurisdiction", Entity("Jurisdiction", home)}}));
  fields.emplace_back("purpose", Entity("Purpose", purpose));
  fields.emplace_back("now", Value::Datetime(now_s * 1000));
  return Value::Record(std::move(fields));
}

}  // namespace

std::string_view ToString(Treatment treatment) {
  switch (treatment) {
    case Treatment::kRefused: return "refused";
    case Treatment::kForward: return "forward";
    case Treatment::kPseudonymised: return "forwardPseudonymised";
    case Treatment::kRedacted: return "forwardRedacted";
  }
  return "refused";
}

Decider::Decider(const Snapshot<PolicySnapshot>& policy, const Clock& clock, DeciderOptions options)
    : policy_(policy), clock_(clock), options_(std::move(options)) {}

Decision Decider::DecideForward(const Identity& who, const Peer& peer, const ScanResult& found,
                                std::string_view purpose,
                                std::span<const std::string> sites) const {
  const std::shared_ptr<const PolicySnapshot> snapshot = policy_.Load();
  Decision decision;
  decision.revision_ = snapshot->revision;
  decision.policy_hash_ = snapshot->hash;

  const std::string home = HomeOf(who, options_);
  cedar::Request request;
  request.principal = {who.kind() == EntityKind::kUser ? "Gw::User" : "Gw::Workload", who.subject()};
  cedar::Entities own;
  own.Add(PrincipalEntity(who, request.principal, home));

  constexpr std::array kLadder = {Treatment::kForward, Treatment::kRedacted};
  std::set<std::string> deniers;
  std::set<std::string> broken;
  Obligations refusal;
  for (const std::string& site : sites) {
    request.resource = {"Gw::Backend", site};
    for (const Treatment treatment : kLadder) {
      request.action = {"Gw::Action", std::string(ToString(treatment))};
      request.context = Context(found, treatment == Treatment::kRedacted, peer, purpose, home,
                                options_, clock_.UnixSeconds());
      const cedar::Response answer =
          cedar::Authorize(snapshot->policies, snapshot->entities, own, request);
      const bool yes = answer.allow && answer.errors.empty();
      for (const auto& id : answer.errors) broken.emplace(snapshot->policies.Label(id));
      if (!yes) {
        for (const auto& id : answer.reasons) {
          if (answer.allow || !deniers.emplace(snapshot->policies.Label(id)).second) continue;
          if (const auto* notes = snapshot->policies.Annotations(id)) refusal.Merge(*notes);
        }
        continue;
      }
      decision.treatment_ = treatment;
      decision.site_ = site;
      for (const auto& id : answer.reasons) {
        decision.policies_.emplace_back(snapshot->policies.Label(id));
        if (const auto* notes = snapshot->policies.Annotations(id)) {
          decision.obligations_.Merge(*notes);
        }
      }
      return decision;
    }
  }
  decision.policies_.assign(deniers.begin(), deniers.end());
  decision.errors_.assign(broken.begin(), broken.end());
  decision.obligations_ = std::move(refusal);
  return decision;
}

Decision Decider::DecideAdmin(const Identity& who) const {
  const std::shared_ptr<const PolicySnapshot> snapshot = policy_.Load();
  Decision decision;
  decision.revision_ = snapshot->revision;
  decision.policy_hash_ = snapshot->hash;
  if (who.HasRole("admin")) {
    decision.treatment_ = Treatment::kForward;
    decision.policies_ = {"role-admin"};
  }
  return decision;
}

}  // namespace portcullis::gateway
