// Prompts that were computed before, kept for the next one that begins alike. An entry is a
// Sequence that shares its pages with whoever uses them; a lookup walks the chain of page names
// (page_hash.h) and compares the tokens. Partitioned by tenant: neither a hit nor its timing ever
// tells one tenant about another, and who fills the cache pushes out its own entries first.
// Everything here may be dropped at any time: EvictPage gives pages back, least recently used last
// page first. One thread.
//
// Keys, not tokens, are compared: a token that was computed as part of a prompt is its own key, one
// that was computed as part of an answer is the complement (Key in job.h), because the two may
// differ in the last bits and a cached prefix must not change a text.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/page_hash.h"

namespace portcullis::inference {

class PrefixCache {
 public:
  // `model` must outlive this. At most `max_tokens` are kept, over all entries.
  PrefixCache(Model& model, int64_t max_tokens);

  // Names of the whole pages of `keys`.
  std::vector<uint64_t> Names(const std::string& tenant, std::span<const int32_t> keys) const;

  struct Match {
    const Sequence* sequence = nullptr;  // null: none; else good until the next call that changes
    int64_t tokens = 0;                  // that agree, from the first on
  };
  // The longest beginning that is at least one page. `names` are those of `keys`.
  Match Find(const std::string& tenant, std::span<const int32_t> keys,
             std::span<const uint64_t> names);
  // Keeps `keys`, which `sequence` has computed, where they fill a page. Whole pages are shared
  // with `sequence`, the last partial one is copied if a page is free.
  void Insert(const std::string& tenant, std::span<const int32_t> keys, const Sequence& sequence);
  // Drops the last page of an entry; false where there is none. The page is free only if nobody
  // shares it: callers repeat until they have what they need.
  bool EvictPage();

  size_t entries() const { return entries_.size(); }
  int64_t tokens() const { return tokens_; }
  uint64_t evictions() const { return evictions_; }

 private:
  struct Entry {
    std::string tenant;
    std::vector<int32_t> keys;
    std::vector<uint64_t> names;  // of its whole pages
    std::unique_ptr<Sequence> sequence;
  };
  using Entries = std::list<Entry>;  // most recently used first

  int64_t Agreement(const Entry& entry, std::span<const int32_t> keys) const;
  void Unname(Entries::iterator entry, uint64_t name);
  void Erase(Entries::iterator entry);
  Entries::iterator Victim();

  Model& model_;
  const size_t page_;
  const int64_t max_tokens_;
  PageHash hash_;
  Entries entries_;
  std::unordered_multimap<uint64_t, Entries::iterator> by_name_;
  std::unordered_map<std::string, int64_t> tokens_of_tenant_;
  int64_t tokens_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace portcullis::inference
