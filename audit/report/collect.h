// Counts the records of a period. Records come in log order, already checked and, where the reader has
// the keys, opened. What records say is foreign: everything is taken with its type checked. Tables and lists are
// bounded, except for the acts that a report must not lack: releases, erasures, holds, unclean ends and
// overrides. Acts of people are in collect_acts.cc. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "audit/event.h"
#include "audit/record.h"
#include "audit/report/period.h"
#include "audit/report/revisions.h"

namespace portcullis::audit {

class Collector {
 public:
  static constexpr size_t kMaxEntries = 5000;       // of each list and table
  static constexpr size_t kMaxSubjects = 1'000'000;
  static constexpr uint64_t kEpisodeGapUs = 60'000'000;

  explicit Collector(Period period) { facts_.period = period; }

  // `parts` is nothing where the content stays sealed or is erased. Of records before the period only what they
  // say of policy revisions is kept, of those after it nothing.
  void Take(const Leaf& leaf, const std::optional<std::vector<Part>>& parts, bool erased = false);
  const PeriodFacts& facts();

 private:
  struct TagHash {
    size_t operator()(const Tag& tag) const;
  };

  void TakeLeaf(const Leaf& leaf);
  void TakeRevision(const Leaf& leaf, const std::vector<Part>* parts);
  void TakePolicy(const Leaf& leaf, const std::string& revision);
  void TakeRequest(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeDecision(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeConfig(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeAdmin(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeRefusal(const Leaf& leaf, const boost::json::object& facts);
  void TakeAccess(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeAbuse(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeEnd(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeInterruption(const Leaf& leaf, const std::vector<Part>* parts);
  ActCounts& Counted(const std::string& who, const std::string& operation);
  template <class Entry>
  static void Keep(std::vector<Entry>& list, Entry entry, Unlisted& rest, uint64_t seq, const std::string& name);
  template <class Table>
  auto& Row(Table& table, const typename Table::key_type& key, const typename Table::key_type& rest);

  PeriodFacts facts_;
  RevisionBook revisions_;
  std::unordered_set<Tag, TagHash> subjects_, tenants_;
  Id boot_{};
  bool began_ = false;
  uint64_t last_us_ = 0;
};

template <class Entry>
void Collector::Keep(std::vector<Entry>& list, Entry entry, Unlisted& rest, uint64_t seq, const std::string& name) {
  if (list.size() < kMaxEntries) {
    list.push_back(std::move(entry));
    return;
  }
  if (rest.count++ == 0) rest.from_seq = seq;
  ++rest.by[rest.by.size() < kMaxEntries || rest.by.contains(name) ? name : "(others)"];
}

// The row of a key; over the bound the common row of the rest.
template <class Table>
auto& Collector::Row(Table& table, const typename Table::key_type& key,
                     const typename Table::key_type& rest) {
  const auto found = table.find(key);
  if (found != table.end()) return found->second;
  if (table.size() < kMaxEntries) return table[key];
  ++facts_.left_out;
  return table[rest];
}

}  // namespace portcullis::audit
