#include "gateway/decide/policy_keeper.h"

#include <charconv>

#include "gateway/decide/site_facts.h"

namespace portcullis::gateway {

namespace revise = policy::revise;

namespace {

constexpr std::string_view kNoted = "policy_noted:";
constexpr std::string_view kAnchor = "policy_anchor:";

policy::Error ToPolicy(const Error& error) { return {policy::Code::kStorage, error.message}; }

uint32_t Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<uint32_t>(part * 100 / whole);
}

}  // namespace

PolicyKeeper::PolicyKeeper(const Config& config, PolicyMaterial material, Store& state,
                           const Clock& clock)
    : config_(config),
      material_(std::move(material)),
      state_(state),
      clock_(clock),
      snapshot_(PolicySnapshot::Of(nullptr, 0)) {}

Result<void> PolicyKeeper::Open() {
  if (config_.revisions.empty()) return Reload();
  // The anchor belongs to the file of this name: another file is another store.
  const std::string anchor = std::string(kAnchor) + config_.revisions.filename().string();
  revise::StoreOptions options;
  options.file = config_.revisions;
  options.appliance = material_.appliance;
  options.officers = material_.officers;
  options.anchor.read = [this, anchor]() -> policy::Result<std::optional<std::string>> {
    auto text = state_.GetSetting(anchor);
    if (!text) return ToPolicy(text.error());
    return std::move(text.value());
  };
  options.anchor.write = [this, anchor](const std::string& text) -> policy::Result<void> {
    auto put = state_.PutSetting(anchor, text);
    if (!put) return ToPolicy(put.error());
    return boost::outcome_v2::success();
  };
  options.now = [this] { return clock_.UnixSeconds(); };
  auto store = revise::RevisionStore::Open(std::move(options));
  if (!store) return FromPolicy(store.error());
  store_ = std::move(store.value());
  if (store_->empty()) {
    const auto seeded = store_->Seed(material_.seed, "first start: the configured policy folder");
    if (!seeded) {
      return Error{Code::kConfig,
                   "`policy` cannot seed the revision store: " + seeded.error().message};
    }
  }
  if (const auto ticked = store_->Tick(); !ticked) return FromPolicy(ticked.error());
  Publish();
  return boost::outcome_v2::success();
}

void PolicyKeeper::Publish() {
  const revise::InForce now = store_->in_force();
  const auto before = snapshot_.Load();
  if (before->number == now.number && before->compiled == now.compiled && now.number != 0) return;
  auto next = PolicySnapshot::Of(now.compiled, now.number);
  if (now.compiled) {
    const auto content = store_->ContentOf(now.number);
    const std::string approved = content ? content.value().facts : std::string();
    next->withheld = ChangedSites(approved, material_.facts, config_.sites);
  }
  const uint64_t decided = before->counters.decided.load();
  refused_percent_before_ = Percent(before->counters.refused.load(), decided);
  snapshot_.Store(std::move(next));
}

std::string PolicyKeeper::Misbehaviour(const PolicySnapshot& now) const {
  const uint64_t decided = now.counters.decided.load();
  if (decided < config_.probation.min_calls) return {};
  const uint32_t errored = Percent(now.counters.errored.load(), decided);
  if (errored > config_.probation.error_percent) {
    return "policies could not be evaluated in " + std::to_string(errored) + " % of " +
           std::to_string(decided) + " calls";
  }
  const uint32_t refused = Percent(now.counters.refused.load(), decided);
  if (refused > refused_percent_before_ + config_.probation.refusal_rise_percent) {
    return std::to_string(refused) + " % of " + std::to_string(decided) +
           " calls were refused, before it were " + std::to_string(refused_percent_before_) + " %";
  }
  return {};
}

Result<bool> PolicyKeeper::Watch(bool audit_failing) {
  if (!store_) return false;
  const auto now = snapshot_.Load();
  std::string why = Misbehaviour(*now);
  if (audit_failing) why = "the audit log took no records";
  auto changed = why.empty() ? store_->Tick() : store_->FailProbation(now->number, why);
  if (changed && !changed.value() && !why.empty()) changed = store_->Tick();
  if (!changed) return FromPolicy(changed.error());
  if (changed.value()) Publish();
  return changed.value();
}

Result<void> PolicyKeeper::Reload() {
  if (store_) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(auto snapshot, PolicySnapshot::Load(config_.policy, material_.facts));
  snapshot_.Store(std::move(snapshot));
  return boost::outcome_v2::success();
}

std::vector<std::string> PolicyKeeper::Complaints() const {
  if (!store_) return {};
  std::vector<std::string> all = store_->health().complaints;
  const auto snapshot = snapshot_.Load();
  for (const std::string& site : snapshot->withheld) {
    all.push_back("site `" + site +
                  "` is not used: what the configuration says of it is not what "
                  "revision " +
                  std::to_string(snapshot->number) + " was approved with; propose a new revision");
  }
  return all;
}

Result<std::vector<revise::SealedEvent>> PolicyKeeper::Unnoted() {
  if (!store_) return std::vector<revise::SealedEvent>();
  BOOST_OUTCOME_TRY(const auto text, state_.GetSetting(std::string(kNoted) + store_->store_id()));
  uint64_t seq = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), seq);
  return store_->EventsAfter(seq);
}

Result<void> PolicyKeeper::MarkNoted(uint64_t seq) {
  return state_.PutSetting(std::string(kNoted) + store_->store_id(), std::to_string(seq));
}

}  // namespace portcullis::gateway
