#include "policy/cedar/entities.h"

#include <algorithm>

namespace portcullis::policy::cedar {
namespace {

// Each entity keeps all that lies above it: in a chain the square of its length.
constexpr size_t kMaxAncestors = 4'000'000;  // over all entities, and besides
constexpr size_t kMaxAncestorsEach = 64;     // on average

bool HashLess(const Value& a, const Value& b) { return a.entity_hash() < b.entity_hash(); }

bool HasAncestor(const std::vector<Value>& sorted, const Value& wanted) {
  auto [from, to] = std::equal_range(sorted.begin(), sorted.end(), wanted, HashLess);
  return std::find(from, to, wanted) != to;
}

std::vector<Value> EntityValues(std::vector<EntityUid> uids) {
  std::vector<Value> values;
  values.reserve(uids.size());
  for (EntityUid& uid : uids) values.push_back(Value::Entity(std::move(uid)));
  return values;
}

}  // namespace

void Entities::Add(Entity entity) {
  Stored stored;
  stored.self = Value::Entity(entity.uid);
  stored.attrs = Value::Record(std::move(entity.attrs));
  stored.tags = Value::Record(std::move(entity.tags));
  stored.parents = EntityValues(std::move(entity.parents));
  if (!stored.parents.empty() || !stored_.empty()) closed_ = false;
  const size_t hash = HashOf(entity.uid);
  stored_.insert_or_assign(Key{std::move(entity.uid), hash}, std::move(stored));
}

Result<void> Entities::Merge(const Entities& other) {
  for (const auto& [key, theirs] : other.stored_) {
    const auto [place, added] = stored_.emplace(key, theirs);
    if (added) continue;
    const Stored& ours = place->second;
    std::vector<Value> our_parents = ours.parents;
    std::vector<Value> their_parents = theirs.parents;
    if (ours.attrs != theirs.attrs || ours.tags != theirs.tags ||
        Value::Set(std::move(our_parents)) != Value::Set(std::move(their_parents))) {
      return Error{Code::kEntity, "entity " + ToText(key.uid) + " is defined twice, differently"};
    }
  }
  closed_ = false;
  return boost::outcome_v2::success();
}

// Depth-first over the parents, with an own stack: a long chain must not exhaust the thread's.
Result<void> Entities::Close() {
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::unordered_map<const Stored*, Mark> marks;
  size_t left = kMaxAncestors + kMaxAncestorsEach * stored_.size();
  struct Frame {
    const Key* key;
    Stored* stored;
    size_t next;
  };
  for (auto& [root_key, root] : stored_) {
    if (marks[&root] == Mark::kDone) continue;
    std::vector<Frame> stack{{&root_key, &root, 0}};
    marks[&root] = Mark::kOpen;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next < frame.stored->parents.size()) {
        const Value& parent = frame.stored->parents[frame.next++];
        const auto found = stored_.find(View{&parent.entity(), parent.entity_hash()});
        if (found == stored_.end()) continue;
        Mark& mark = marks[&found->second];
        if (mark == Mark::kOpen) {
          return Error{Code::kEntity,
                       "the hierarchy has a cycle through " + ToText(found->first.uid)};
        }
        if (mark == Mark::kNew) {
          mark = Mark::kOpen;
          stack.push_back({&found->first, &found->second, 0});
        }
        continue;
      }
      std::vector<Value> ancestors = frame.stored->parents;
      for (const Value& parent : frame.stored->parents) {
        if (const Stored* above = Find(parent.entity(), parent.entity_hash())) {
          ancestors.insert(ancestors.end(), above->ancestors.begin(), above->ancestors.end());
        }
        if (ancestors.size() > left) {
          return Error{Code::kTooLarge, "the hierarchy around " + ToText(frame.key->uid) +
                                            " is too deep for so many entities"};
        }
      }
      left -= ancestors.size();
      std::sort(ancestors.begin(), ancestors.end(), [](const Value& a, const Value& b) {
        return a.entity_hash() != b.entity_hash() ? HashLess(a, b) : (a <=> b) < 0;
      });
      ancestors.erase(std::unique(ancestors.begin(), ancestors.end()), ancestors.end());
      frame.stored->ancestors = std::move(ancestors);
      marks[frame.stored] = Mark::kDone;
      stack.pop_back();
    }
  }
  closed_ = true;
  return boost::outcome_v2::success();
}

const Entities::Stored* Entities::Find(const EntityUid& uid, size_t hash) const {
  const auto found = stored_.find(View{&uid, hash});
  return found == stored_.end() ? nullptr : &found->second;
}

std::vector<EntityUid> Entities::Uids() const {
  std::vector<EntityUid> uids;
  uids.reserve(stored_.size());
  for (const auto& [key, stored] : stored_) uids.push_back(key.uid);
  std::sort(uids.begin(), uids.end());
  return uids;
}

const Entities::Stored* EntityView::Find(const EntityUid& uid, size_t hash) const {
  if (request_ != nullptr) {
    if (const Entities::Stored* stored = request_->Find(uid, hash)) return stored;
  }
  return base_.Find(uid, hash);
}

bool EntityView::IsClosed(const Entities::Stored& stored) const {
  if (!base_.closed()) return false;
  if (request_ == nullptr || request_->size() == 0) return true;
  if (request_->Find(stored.self.entity(), stored.self.entity_hash()) == &stored) {
    return stored.parents.empty();
  }
  bool overlaid = false;  // a request's entity among the ancestors may add parents of its own
  request_->ForEach([&](const Entities::Stored& other) {
    overlaid = overlaid || HasAncestor(stored.ancestors, other.self);
  });
  return !overlaid;
}

bool EntityView::In(const Value& child, const Value& parent) const {
  if (child == parent) return true;
  const Entities::Stored* stored = Find(child);
  if (stored == nullptr || stored->parents.empty()) return false;
  if (IsClosed(*stored)) return HasAncestor(stored->ancestors, parent);
  Uids all;
  SelfAndAncestors(child, all);
  return std::any_of(all.begin(), all.end(), [&](const Value* uid) { return *uid == parent; });
}

void EntityView::SelfAndAncestors(const Value& child, Uids& out) const {
  Uids open{&child};
  for (size_t i = 0; i < open.size(); ++i) {
    out.push_back(open[i]);
    const Entities::Stored* stored = Find(*open[i]);
    if (stored == nullptr) continue;
    if (IsClosed(*stored)) {
      for (const Value& ancestor : stored->ancestors) out.push_back(&ancestor);
      continue;
    }
    for (const Value& parent : stored->parents) {
      const bool seen =
          std::any_of(open.begin(), open.end(), [&](const Value* uid) { return *uid == parent; });
      if (!seen) open.push_back(&parent);
    }
  }
}

}  // namespace portcullis::policy::cedar
