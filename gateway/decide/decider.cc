#include "gateway/decide/decider.h"

namespace portcullis::gateway {
namespace {

std::vector<std::string> Sorted(const std::set<std::string>& names) {
  return {names.begin(), names.end()};
}

std::string AddressOf(const Peer& peer) {
  if (peer.kind != Peer::Kind::kTls) return "127.0.0.1";
  const std::string address = peer.address.to_string();
  return address.substr(0, address.find('%'));
}

}  // namespace

Decider::Decider(const Snapshot<PolicySnapshot>& policy, const Clock& clock, DeciderOptions options)
    : policy_(policy), clock_(clock), options_(std::move(options)) {}

Decision Decider::Begin(const PolicySnapshot& snapshot) const {
  Decision decision;
  decision.revision_ = snapshot.revision;
  decision.revision_number_ = snapshot.number;
  decision.policy_hash_ = snapshot.hash;
  return decision;
}

DecisionFacts Decider::FactsOf(const Identity& who, const Peer& peer, const ScanResult& found,
                               std::string_view purpose) const {
  DecisionFacts facts;
  facts.workload = who.kind() == EntityKind::kWorkload;
  facts.principal = who.subject();
  facts.home = who.home().empty() ? options_.jurisdiction : who.home();
  facts.departments = who.departments();
  facts.roles = who.roles();
  facts.clearance = who.clearance();
  facts.purpose = purpose;
  facts.detected = Sorted(found.classes);
  facts.left_pseudonymised = facts.left_redacted = Sorted(found.Unredactable());
  facts.top_severity = found.top_severity;
  facts.scan_complete = found.complete;
  facts.subject = Sorted(found.subject_jurisdictions);
  facts.subjects = facts.subjects_ytd = static_cast<int64_t>(found.subjects);
  facts.client_ip = AddressOf(peer);
  facts.zone = options_.zone;
  facts.device_jurisdiction = facts.home;
  if (peer.kind == Peer::Kind::kTls) {
    if (const NetworkConfig* network = options_.networks.Find(peer.address)) {
      if (!network->zone.empty()) facts.zone = network->zone;
      if (!network->jurisdiction.empty()) facts.device_jurisdiction = network->jurisdiction;
      facts.device_managed = network->managed;
      facts.device_government = network->government;
    }
  }
  facts.now_ms = clock_.UnixSeconds() * 1000;
  facts.ladder = options_.ladder;
  return facts;
}

bool Decider::Ask(const PolicySnapshot& snapshot, DecisionFacts facts,
                  std::span<const std::string> sites, Decision& decision) {
  for (const std::string& site : sites) {
    if (!snapshot.withheld.contains(site)) facts.sites.push_back(site);
  }
  bool decided = false;
  if (!snapshot.compiled) {
    decision.outcome_.policies = {"no-policy-in-force"};
  } else if (facts.sites.empty() && !sites.empty()) {
    decision.outcome_.policies = {"site-facts-not-approved"};
  } else {
    decision.outcome_ = snapshot.compiled->Decide(facts);
    if (decision.allowed()) decision.place_ = PlaceOf(snapshot.compiled->entities, decision.site());
    decided = true;
  }
  decision.facts_ = std::make_shared<DecisionFacts>(std::move(facts));
  return decided;
}

Decision Decider::DecideForward(const Identity& who, const Peer& peer, const ScanResult& found,
                                std::string_view purpose,
                                std::span<const std::string> sites) const {
  const std::shared_ptr<const PolicySnapshot> snapshot = policy_.Load();
  Decision decision = Begin(*snapshot);
  if (Ask(*snapshot, FactsOf(who, peer, found, purpose), sites, decision)) {
    snapshot->callers.Count(who.tenant().id, who.subject(), !decision.allowed(),
                            !decision.errors().empty());
  }
  return decision;
}

Decision Decider::DecideList(const Identity& who, const Peer& peer,
                             std::span<const std::string> sites) const {
  const std::shared_ptr<const PolicySnapshot> snapshot = policy_.Load();
  Decision decision = Begin(*snapshot);
  const DecisionFacts facts = FactsOf(who, peer, ScanResult(), "other");
  if (!Ask(*snapshot, facts, sites, decision)) return decision;
  for (const std::string& site : decision.facts_->sites) {
    DecisionFacts one = facts;
    one.sites = {site};
    if (snapshot->compiled->Decide(one).allowed()) decision.sites_.push_back(site);
  }
  return decision;
}

Decision Decider::DecideAdmin(const Identity& who) const {
  const std::shared_ptr<const PolicySnapshot> snapshot = policy_.Load();
  Decision decision = Begin(*snapshot);
  if (who.HasRole("admin")) {
    decision.outcome_.treatment = Treatment::kForward;
    decision.outcome_.policies = {"role-admin"};
  }
  return decision;
}

}  // namespace portcullis::gateway
