#include "gateway/decide/caller_tally.h"

#include <algorithm>
#include <functional>
#include <map>

namespace portcullis::gateway {
namespace {

constexpr size_t kProbes = 32;

uint64_t HashOf(std::string_view name) {
  const uint64_t hash = std::hash<std::string_view>()(name);
  return hash == 0 ? 1 : hash;
}

struct Sum {
  double shares = 0;
  uint64_t callers = 0;

  double PercentWithout(double their_shares, uint64_t their_callers) const {
    if (callers <= their_callers) return 0;
    return std::max(0.0, shares - their_shares) * 100 / static_cast<double>(callers - their_callers);
  }
};

// The shares of all callers, of one kind of bad luck.
class Shares {
 public:
  void Add(uint64_t tenant, double share) {
    highest_ = std::max(highest_, share);
    for (Sum* sum : {&all_, &tenants_[tenant]}) {
      sum->shares += share;
      ++sum->callers;
    }
  }

  CallerTally::Share Judge() const {
    CallerTally::Share out;
    out.percent = all_.PercentWithout(0, 0);
    out.without_any_one = all_.PercentWithout(highest_, 1);
    if (tenants_.size() == 1) return out;
    for (const auto& [tenant, sum] : tenants_) {
      out.without_any_one =
          std::min(out.without_any_one, all_.PercentWithout(sum.shares, sum.callers));
    }
    return out;
  }

 private:
  double highest_ = 0;
  Sum all_;
  std::map<uint64_t, Sum> tenants_;
};

}  // namespace

CallerTally::CallerTally() : voices_(std::make_unique<std::array<Voice, kCallers>>()) {}

CallerTally::Voice* CallerTally::FindOrAdd(uint64_t caller) {
  for (size_t i = 0; i < kProbes; ++i) {
    Voice& voice = (*voices_)[(caller + i) % kCallers];
    uint64_t known = voice.caller.load(std::memory_order_relaxed);
    if (known == 0 && voice.caller.compare_exchange_strong(known, caller, std::memory_order_relaxed)) {
      return &voice;
    }
    if (known == caller) return &voice;
  }
  return nullptr;
}

void CallerTally::Count(std::string_view tenant, std::string_view caller, bool refused, bool errored) {
  Voice* voice = FindOrAdd(HashOf(caller));
  if (voice == nullptr) return;
  const uint64_t home = HashOf(tenant);
  if (voice->tenant.load(std::memory_order_relaxed) != home) {
    voice->tenant.store(home, std::memory_order_relaxed);
  }
  if (refused) voice->refused.fetch_add(1, std::memory_order_relaxed);
  if (errored) voice->errored.fetch_add(1, std::memory_order_relaxed);
  voice->decided.fetch_add(1, std::memory_order_release);
}

CallerTally::Result CallerTally::Read() const {
  Result result;
  Shares refused;
  Shares errored;
  for (const Voice& voice : *voices_) {
    const uint32_t decided = voice.decided.load(std::memory_order_acquire);
    if (decided == 0) continue;
    const uint64_t tenant = voice.tenant.load(std::memory_order_relaxed);
    const auto share = [decided](const std::atomic<uint32_t>& part) {
      return static_cast<double>(std::min(part.load(std::memory_order_relaxed), decided)) / decided;
    };
    result.calls += decided;
    ++result.callers;
    refused.Add(tenant, share(voice.refused));
    errored.Add(tenant, share(voice.errored));
  }
  result.refused = refused.Judge();
  result.errored = errored.Judge();
  return result;
}

}  // namespace portcullis::gateway
