// Who waits for a place to run. Next is the best class (ageing included), within it the tenant that
// was served least (ledger.h), within that the first to come. If the next does not fit into memory
// yet, others may pass it kPatience times; then all wait for it. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inference/schedule/job.h"
#include "inference/schedule/ledger.h"

namespace portcullis::inference {

class WaitingList {
 public:
  // `ledger` must outlive the list, which tells it who waits.
  WaitingList(std::chrono::milliseconds aging, Ledger& ledger) : aging_(aging), ledger_(ledger) {}

  void Push(JobPtr job);
  // The next job for which `fits` is true; null where there is none.
  JobPtr Pop(Job::Clock::time_point now, const std::function<bool(const Job&)>& fits);
  // Removes and returns all jobs for which `condition` is true.
  std::vector<JobPtr> Extract(const std::function<bool(const Job&)>& condition);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  // Jobs of one tenant and class by number: a job that comes back keeps its place.
  using Queue = std::map<uint64_t, JobPtr>;
  static constexpr int kPatience = 8;

  std::chrono::milliseconds aging_;
  Ledger& ledger_;
  std::map<std::pair<std::string, Priority>, Queue> queues_;  // no queue is empty
  size_t size_ = 0;
  int passed_ = 0;
};

}  // namespace portcullis::inference
