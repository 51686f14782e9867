// A bounded waiting list that is fair between tenants: one first-in-first-out queue a tenant. The
// next to go belongs to the tenant that runs least now, in turn at a tie. No tenant may fill more
// than half of the list while others could want it. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace portcullis::inference {

template <class Item>
class FairQueue {
 public:
  explicit FairQueue(size_t limit) : limit_(limit) {}

  bool HasRoom(const std::string& tenant, size_t count) const {
    if (size_ + count > limit_) return false;
    const auto own = queues_.find(tenant);
    const size_t waiting = own == queues_.end() ? 0 : own->second.size();
    return waiting + count <= (limit_ + 1) / 2;
  }

  void Push(const std::string& tenant, Item item) {
    queues_[tenant].push_back(std::move(item));
    ++size_;
  }

  // Takes the next item for which `fits` is true; only the head of each tenant's queue is asked, so
  // nobody overtakes within a tenant. `running` gives how many of a tenant's items run now.
  template <class Running, class Fits>
  bool Pop(const Running& running, const Fits& fits, Item& out) {
    auto best = queues_.end();
    std::pair<size_t, bool> best_key;
    for (auto it = queues_.begin(); it != queues_.end(); ++it) {
      if (!fits(it->second.front())) continue;
      // At a tie, tenants after the last one served come first: the map's order is the turn.
      const std::pair<size_t, bool> key{running(it->first), it->first <= last_};
      if (best == queues_.end() || key < best_key) {
        best = it;
        best_key = key;
      }
    }
    if (best == queues_.end()) return false;
    out = std::move(best->second.front());
    best->second.pop_front();
    last_ = best->first;
    if (best->second.empty()) queues_.erase(best);
    --size_;
    return true;
  }

  // Removes and returns all items for which `condition` is true.
  template <class Condition>
  std::vector<Item> Extract(const Condition& condition) {
    std::vector<Item> out;
    for (auto it = queues_.begin(); it != queues_.end();) {
      std::deque<Item> kept;
      for (Item& item : it->second) {
        if (condition(item)) {
          out.push_back(std::move(item));
        } else {
          kept.push_back(std::move(item));
        }
      }
      it->second.swap(kept);
      it = it->second.empty() ? queues_.erase(it) : std::next(it);
    }
    size_ -= out.size();
    return out;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  size_t limit_;
  size_t size_ = 0;
  std::map<std::string, std::deque<Item>> queues_;  // no queue is empty
  std::string last_;
};

}  // namespace portcullis::inference
