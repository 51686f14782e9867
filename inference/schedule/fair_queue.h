// A bounded waiting list that is fair between tenants: one first-in-first-out queue a tenant. The
// next to go belongs to the tenant that runs least now, in turn at a tie. No tenant may fill more
// than half of the list while others could want it. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <iterator>
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
  // nobody overtakes within a tenant. A head whose turn it is but which does not fit may be passed
  // by others kPatience times, then they wait for it. `running`: how many of a tenant's items run.
  template <class Running, class Fits>
  bool Pop(const Running& running, const Fits& fits, Item& out) {
    auto due = queues_.end();
    auto best = queues_.end();
    Key due_key, best_key;
    for (auto it = queues_.begin(); it != queues_.end(); ++it) {
      // At a tie, tenants after the last one served come first: the map's order is the turn.
      const Key key{running(it->first), it->first <= last_};
      if (due == queues_.end() || key < due_key) {
        due = it;
        due_key = key;
      }
      if ((best == queues_.end() || key < best_key) && fits(it->second.front())) {
        best = it;
        best_key = key;
      }
    }
    if (best == queues_.end() || (best != due && passed_ >= kPatience)) return false;
    passed_ = best == due ? 0 : passed_ + 1;
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
  using Key = std::pair<size_t, bool>;
  static constexpr size_t kPatience = 16;

  size_t limit_;
  size_t passed_ = 0;
  size_t size_ = 0;
  std::map<std::string, std::deque<Item>> queues_;  // no queue is empty
  std::string last_;
};

}  // namespace portcullis::inference
