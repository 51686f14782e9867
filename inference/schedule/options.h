// How the scheduler behaves, and what it counts.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "inference/schedule/request.h"

namespace portcullis::inference {

// Values of SchedulerOptions::speculate besides a number of draft tokens.
inline constexpr int kSpeculateAuto = -1;
inline constexpr int kSpeculateOff = 0;

struct SchedulerOptions {
  size_t max_running = 32;
  size_t max_waiting = 128;
  int64_t prefill_chunk = 512;  // prompt tokens a step at most, over all prompts
  // How long a step may take while answers are being written, and while only prompts are computed:
  // the first bounds the time between two tokens (or half as long again as the tokens alone take,
  // where that is more; up to three times where each tenant has so many more prompts than answers),
  // the second how late a cancel takes effect.
  std::chrono::milliseconds step_time{150};
  std::chrono::milliseconds prompt_step_time{500};
  std::chrono::milliseconds aging{10'000};  // waiting this long lifts a request by one class
  std::chrono::milliseconds max_wait{0};    // for a place to run; 0: as long as it takes
  // Tokens that an answer is thought to have until some have ended: how many requests are let in.
  int64_t expected_answer = 256;
  int speculate = kSpeculateAuto;           // draft tokens verified a step
  bool prefix_cache = true;
  int threads = 0;  // that sample; 0: one per core
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

struct SchedulerCounters {
  size_t running = 0;
  size_t waiting = 0;
  std::array<size_t, kPriorities> waiting_by_priority = {};
  int64_t page_tokens = 0;
  int64_t pages_total = 0;
  int64_t pages_used = 0;    // by sequences that run and by cached prefixes
  int64_t kv_bytes_used = 0;
  size_t cached_prefixes = 0;
  int64_t cached_tokens = 0;  // over all cached prefixes; shared pages count in each
  double step_seconds = 0;    // running mean

  // Since the start.
  uint64_t steps = 0;
  uint64_t finished = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;  // no room in the waiting list
  uint64_t expired = 0;  // waited or ran beyond its time
  uint64_t embeddings = 0;
  uint64_t prompt_tokens = 0;      // computed, recomputation included
  uint64_t generated_tokens = 0;
  uint64_t prefix_hit_tokens = 0;  // taken from the prefix cache instead of computed
  uint64_t prefix_miss_tokens = 0;
  uint64_t prefix_evictions = 0;
  uint64_t preemptions = 0;
  uint64_t drafted_tokens = 0;
  uint64_t accepted_tokens = 0;  // of those drafted
};

}  // namespace portcullis::inference
