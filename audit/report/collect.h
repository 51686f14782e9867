// Counts the records of a period. Records come in log order, already checked and, where the reader has
// the keys, opened. What records say is foreign: everything is taken with its type checked, tables are
// bounded. Not thread-safe.
#pragma once

#include <optional>
#include <unordered_set>
#include <vector>

#include "audit/event.h"
#include "audit/record.h"
#include "audit/report/period.h"

namespace portcullis::audit {

class Collector {
 public:
  static constexpr size_t kMaxEntries = 5000;       // of each list and table
  static constexpr size_t kMaxSubjects = 1'000'000;

  explicit Collector(Period period) { facts_.period = period; }

  // `parts` is nothing where the content stays sealed. Records outside the period are passed over.
  void Take(const Leaf& leaf, const std::optional<std::vector<Part>>& parts);
  const PeriodFacts& facts() const { return facts_; }

 private:
  struct TagHash {
    size_t operator()(const Tag& tag) const;
  };

  void TakeLeaf(const Leaf& leaf);
  void TakePolicy(const Leaf& leaf, const std::string& revision);
  void TakeDecision(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeAct(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeAccess(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeAbuse(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeEnd(const Leaf& leaf, const std::vector<Part>* parts);
  void TakeInterruption(const Leaf& leaf);
  template <class Entry>
  void Keep(std::vector<Entry>& list, Entry entry);
  template <class Table>
  auto& Row(Table& table, const typename Table::key_type& key, const typename Table::key_type& rest);

  PeriodFacts facts_;
  std::unordered_set<Tag, TagHash> subjects_, tenants_;
  Id boot_{};
  bool began_ = false;
  uint64_t last_us_ = 0;
};

}  // namespace portcullis::audit
