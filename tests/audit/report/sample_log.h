// A log for the tests of the report: records as a reader hands them to the collector, without a disk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/report/collect.h"

namespace portcullis::audit {

inline constexpr uint64_t kDay = 86'400'000'000;
inline constexpr uint64_t kStart = 20'000 * kDay;

// Feeds records with the sequence numbers, times and identities that a log would give them.
class Log {
 public:
  explicit Log(Period period = {}) : collector(period) {}

  void Add(Kind kind, uint16_t outcome, const char* json = nullptr,
           PartType type = PartType::kMetadata) {
    Leaf leaf = Next(kind, outcome, json != nullptr);
    std::optional<std::vector<Part>> parts;
    if (json != nullptr) parts.emplace().push_back({type, json});
    collector.Take(leaf, parts);
  }
  void AddErased(Kind kind, uint16_t outcome) { collector.Take(Next(kind, outcome, true), std::nullopt, true); }
  void AddSealed(Kind kind, uint16_t outcome) { collector.Take(Next(kind, outcome, true), std::nullopt); }
  void Wait(uint64_t us) { now_ += us; }

  Collector collector;
  Tag subject{1};
  Hash policy{}, model{};

 private:
  Leaf Next(Kind kind, uint16_t outcome, bool content) {
    Leaf leaf;
    leaf.kind = kind;
    leaf.clock = ClockState::kSynchronised;
    leaf.seq = seq_++;
    leaf.wall_us = now_;
    leaf.mono_us = now_;
    leaf.outcome = outcome;
    leaf.subject = subject;
    leaf.policy_hash = policy;
    leaf.model_hash = model;
    leaf.parts = content ? 1 : 0;
    return leaf;
  }

  uint64_t seq_ = 0;
  uint64_t now_ = kStart;
};

inline constexpr const char* kRefused =
    R"({"treatment":"forward","site":"abroad","policies":["gdpr-ch5"],"errors":[],"revision":"r7",
        "found":{"classes":["personal"],"kinds":{"iban":2},"subject_jurisdictions":["EU","US"]}})";
inline constexpr const char* kTreated =
    R"({"treatment":"redact","site":"local","policies":["default","redact-ids"],"errors":["x"],
        "revision":"r7","found":{"classes":[],"kinds":{},"subject_jurisdictions":[]}})";

}  // namespace portcullis::audit
