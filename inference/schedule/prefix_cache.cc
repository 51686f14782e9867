#include "inference/schedule/prefix_cache.h"

#include <algorithm>

namespace portcullis::inference {
namespace {
constexpr size_t kMaxEntries = 1024;
}  // namespace

PrefixCache::PrefixCache(Model& model, int64_t max_tokens)
    : model_(model), page_(static_cast<size_t>(model.page_tokens())), max_tokens_(max_tokens) {}

std::vector<uint64_t> PrefixCache::Names(const std::string& tenant,
                                         std::span<const int32_t> keys) const {
  std::vector<uint64_t> names;
  uint64_t name = hash_.Start(tenant);
  for (size_t at = 0; at + page_ <= keys.size(); at += page_) {
    name = hash_.Next(name, keys.subspan(at, page_));
    names.push_back(name);
  }
  return names;
}

int64_t PrefixCache::Agreement(const Entry& entry, std::span<const int32_t> keys) const {
  return std::mismatch(entry.keys.begin(), entry.keys.end(), keys.begin(), keys.end()).first -
         entry.keys.begin();
}

PrefixCache::Match PrefixCache::Find(const std::string& tenant, std::span<const int32_t> keys,
                                     std::span<const uint64_t> names) {
  for (size_t pages = names.size(); pages > 0; --pages) {
    const auto [first, last] = by_name_.equal_range(names[pages - 1]);
    Match best;
    Entries::iterator found;
    for (auto it = first; it != last; ++it) {
      const Entry& entry = *it->second;
      if (entry.tenant != tenant) continue;
      const int64_t agreed = Agreement(entry, keys);
      if (agreed < static_cast<int64_t>(pages * page_) || agreed <= best.tokens) continue;
      best = {entry.sequence.get(), agreed};
      found = it->second;
    }
    if (best.sequence == nullptr) continue;
    entries_.splice(entries_.begin(), entries_, found);
    return best;
  }
  return {};
}

void PrefixCache::Insert(const std::string& tenant, std::span<const int32_t> keys,
                         const Sequence& sequence) {
  auto count = static_cast<int64_t>(keys.size());
  if (keys.size() < page_ || count > max_tokens_ || sequence.length() < count) return;
  std::vector<uint64_t> names = Names(tenant, keys);
  if (Find(tenant, keys, names).tokens >= count) return;  // a longer one is there: now touched

  // Entries that are a beginning of this one have nothing of their own.
  std::vector<Entries::iterator> shorter;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [first, last] = by_name_.equal_range(names[i]);
    for (auto it = first; it != last; ++it) {
      const Entry& entry = *it->second;
      if (entry.names.size() != i + 1 || entry.tenant != tenant) continue;
      if (Agreement(entry, keys) == static_cast<int64_t>(entry.keys.size())) {
        shorter.push_back(it->second);
      }
    }
  }
  auto copy = model_.NewSequence(0);
  if (!copy) return;
  if (!copy.value()->Adopt(sequence, count)) {  // no page is free for the last, partial one
    keys = keys.first(names.size() * page_);
    count = static_cast<int64_t>(keys.size());
    if (!copy.value()->Adopt(sequence, count)) return;
  }
  for (const auto entry : shorter) Erase(entry);
  entries_.push_front({tenant, {keys.begin(), keys.end()}, std::move(names),
                       std::move(copy).value()});
  for (const uint64_t name : entries_.front().names) by_name_.emplace(name, entries_.begin());
  tokens_ += count;
  tokens_of_tenant_[tenant] += count;
  while (tokens_ > max_tokens_ || entries_.size() > kMaxEntries) EvictPage();
}

PrefixCache::Entries::iterator PrefixCache::Victim() {
  const auto largest = std::max_element(
      tokens_of_tenant_.begin(), tokens_of_tenant_.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  for (auto entry = std::prev(entries_.end());; --entry) {
    if (entry->tenant == largest->first) return entry;
  }
}

bool PrefixCache::EvictPage() {
  if (entries_.empty()) return false;
  const auto entry = Victim();
  ++evictions_;
  const size_t rest = (entry->keys.size() - 1) / page_ * page_;
  if (rest == 0) {
    Erase(entry);
    return true;
  }
  const auto dropped = static_cast<int64_t>(entry->keys.size() - rest);
  if (entry->names.size() * page_ > rest) {
    Unname(entry, entry->names.back());
    entry->names.pop_back();
  }
  entry->keys.resize(rest);
  entry->sequence->Truncate(static_cast<int64_t>(rest));
  tokens_ -= dropped;
  tokens_of_tenant_[entry->tenant] -= dropped;
  return true;
}

void PrefixCache::Unname(Entries::iterator entry, uint64_t name) {
  const auto [first, last] = by_name_.equal_range(name);
  const auto own = std::find_if(first, last, [&](const auto& at) { return at.second == entry; });
  if (own != last) by_name_.erase(own);
}

void PrefixCache::Erase(Entries::iterator entry) {
  for (const uint64_t name : entry->names) Unname(entry, name);
  const auto count = static_cast<int64_t>(entry->keys.size());
  tokens_ -= count;
  const auto account = tokens_of_tenant_.find(entry->tenant);
  account->second -= count;
  if (account->second == 0) tokens_of_tenant_.erase(account);
  entries_.erase(entry);
}

}  // namespace portcullis::inference
