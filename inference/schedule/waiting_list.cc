#include "inference/schedule/waiting_list.h"

#include <algorithm>
#include <tuple>

namespace portcullis::inference {

void WaitingList::Push(JobPtr job) {
  ledger_.Wait(job->caller.tenant);
  Queue& queue = queues_[{job->caller.tenant, job->caller.priority}];
  const uint64_t number = job->number;
  queue.emplace(number, std::move(job));
  ++size_;
}

JobPtr WaitingList::Pop(Job::Clock::time_point now,
                        const std::function<bool(const Job&)>& fits) {
  // Nobody overtakes within a tenant and class: only the heads of the queues are asked.
  using Key = std::tuple<int64_t, int64_t, uint64_t>;
  std::vector<std::pair<Key, decltype(queues_)::iterator>> heads;
  for (auto it = queues_.begin(); it != queues_.end(); ++it) {
    const Job& job = *it->second.begin()->second;
    const Key key(job.ClassAt(now, aging_), ledger_.Served(job.caller.tenant), job.number);
    heads.emplace_back(key, it);
  }
  const size_t asked = std::min<size_t>(heads.size(), passed_ < kPatience ? kPatience : 1);
  std::partial_sort(heads.begin(), heads.begin() + static_cast<ptrdiff_t>(asked), heads.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < asked; ++i) {
    Queue& queue = heads[i].second->second;
    if (!fits(*queue.begin()->second)) continue;
    passed_ = i == 0 ? 0 : passed_ + 1;
    JobPtr job = std::move(queue.begin()->second);
    queue.erase(queue.begin());
    if (queue.empty()) queues_.erase(heads[i].second);
    --size_;
    ledger_.Go(job->caller.tenant);
    return job;
  }
  return nullptr;
}

std::vector<JobPtr> WaitingList::Extract(const std::function<bool(const Job&)>& condition) {
  std::vector<JobPtr> out;
  for (auto it = queues_.begin(); it != queues_.end();) {
    for (auto job = it->second.begin(); job != it->second.end();) {
      if (condition(*job->second)) {
        ledger_.Go(job->second->caller.tenant);
        out.push_back(std::move(job->second));
        job = it->second.erase(job);
      } else {
        ++job;
      }
    }
    it = it->second.empty() ? queues_.erase(it) : std::next(it);
  }
  size_ -= out.size();
  return out;
}

}  // namespace portcullis::inference
