#include "gateway/decide/policy_keeper.h"

#include <charconv>
#include <cmath>

#include "gateway/decide/site_facts.h"

namespace portcullis::gateway {

namespace revise = policy::revise;

namespace {

constexpr std::string_view kNoted = "policy_noted:";
constexpr std::string_view kAnchor = "policy_anchor:";
constexpr std::string_view kBefore = "policy_before:";  // "NUMBER PERCENT", see RefusedPercentBefore

policy::Error ToPolicy(const Error& error) { return {policy::Code::kStorage, error.message}; }

std::string Rounded(double percent) { return std::to_string(std::lround(percent)); }

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

std::optional<std::string> PolicyKeeper::ApprovedFacts(uint64_t number) const {
  const auto content = store_->ContentOf(number);
  if (!content) return std::nullopt;
  return content.value().facts;
}

void PolicyKeeper::Publish() {
  const revise::InForce now = store_->in_force();
  const auto before = snapshot_.Load();
  const bool same = before->number == now.number && before->compiled == now.compiled;
  if (same && now.number != 0 && !before->facts_unread) return;
  auto next = PolicySnapshot::Of(now.compiled, now.number);
  if (now.compiled) {
    const std::optional<std::string> approved = ApprovedFacts(now.number);
    next->facts_unread = !approved;
    next->withheld = ChangedSites(approved, material_.facts, config_.sites);
  }
  if (before->number != now.number) {
    refused_percent_before_ = RefusedPercentBefore(*before, now.number);
  }
  snapshot_.Store(std::move(next));
}

bool PolicyKeeper::EnoughToJudge(const CallerTally::Result& tally) const {
  return tally.calls >= config_.probation.min_calls &&
         tally.callers >= config_.probation.min_callers;
}

uint32_t PolicyKeeper::RefusedPercentBefore(const PolicySnapshot& before, uint64_t number) {
  const std::string setting = std::string(kBefore) + store_->store_id();
  if (!before.compiled) {  // a start, perhaps in the middle of a probation
    const auto kept = state_.GetSetting(setting);
    const std::string text = kept && kept.value() ? *kept.value() : std::string();
    const std::string prefix = std::to_string(number) + " ";
    uint32_t percent = kUnknownPercent;
    if (text.starts_with(prefix)) {
      std::from_chars(text.data() + prefix.size(), text.data() + text.size(), percent);
    }
    return percent;
  }
  const CallerTally::Result tally = before.callers.Read();
  const uint32_t percent = EnoughToJudge(tally)
                               ? static_cast<uint32_t>(std::ceil(tally.refused.percent))
                               : kUnknownPercent;
  // Where this is not kept, the next start knows nothing, and accuses nobody.
  (void)state_.PutSetting(setting, std::to_string(number) + " " + std::to_string(percent));
  return percent;
}

std::string PolicyKeeper::Misbehaviour(const PolicySnapshot& now) const {
  const CallerTally::Result tally = now.callers.Read();
  if (!EnoughToJudge(tally)) return {};
  const std::string of = " % of the calls of " + std::to_string(tally.callers) + " callers";
  if (tally.errored.without_any_one > config_.probation.error_percent) {
    return "policies could not be evaluated in " + Rounded(tally.errored.percent) + of;
  }
  const uint32_t allowed = refused_percent_before_ + config_.probation.refusal_rise_percent;
  if (tally.refused.without_any_one > allowed) {
    return Rounded(tally.refused.percent) + of + " were refused, before it were " +
           std::to_string(refused_percent_before_) + " %";
  }
  return {};
}

Result<bool> PolicyKeeper::Watch(bool audit_failing) {
  if (!store_) return false;
  const auto now = snapshot_.Load();
  std::string why = Misbehaviour(*now);
  if (audit_failing) why = "the audit log did not take the record of this change";
  auto changed = why.empty() ? store_->Tick() : store_->FailProbation(now->number, why);
  if (changed && !changed.value() && !why.empty()) changed = store_->Tick();
  if (!changed) return FromPolicy(changed.error());
  if (changed.value() || now->facts_unread) Publish();
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
  const std::string revision = "revision " + std::to_string(snapshot->number);
  for (const std::string& site : snapshot->withheld) {
    all.push_back("site `" + site + "` is not used: " +
                  (snapshot->facts_unread
                       ? "what " + revision + " was approved with cannot be read; see to the disk"
                       : "what the configuration says of it is not what " + revision +
                             " was approved with; propose a new revision"));
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
