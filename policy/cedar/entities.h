// The entity store: who exists, their attributes, tags and place in the hierarchy. Read-only once
// built and then shared between threads. ParseJson and Close compute the transitive closure of
// parents, so that `in` is one lookup; a store without Close answers the same, only slower.
// A request's own few entities (caller, device) go into a small second store: see Authorize.
#pragma once

#include <boost/container/small_vector.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

class Schema;
struct Json;

struct Entity {
  EntityUid uid;
  std::vector<Value::Field> attrs;
  std::vector<EntityUid> parents;
  std::vector<Value::Field> tags;
};

class Entities {
 public:
  // As kept: attributes and tags as record values, parents with hashes.
  struct Stored {
    Value self;  // the uid as a value
    Value attrs;
    Value tags;
    std::vector<Value> parents;    // entity values
    std::vector<Value> ancestors;  // sorted by hash; filled by Close, includes the parents
  };

  // Cedar's JSON form: [{"uid":{"type","id"},"attrs":{},"parents":[],"tags":{}}]. With a schema,
  // strings stand for extension values and {"type","id"} for entities where the schema says so,
  // the entities must conform to it, and its actions are added.
  static Result<Entities> ParseJson(std::string_view json, const Schema* schema = nullptr,
                                    std::string_view file_name = "entities");
  static Result<Entities> FromJson(const Json& document, const Schema* schema,
                                   std::string_view file_name);

  // Replaces an entity of the same uid.
  void Add(Entity entity);
  // Everything of `other`; fails with kEntity when both define a uid differently.
  Result<void> Merge(const Entities& other);
  // Computes ancestors; fails with kEntity on a cycle, kTooLarge where they are too many to keep.
  Result<void> Close();

  const Stored* Find(const EntityUid& uid) const { return Find(uid, HashOf(uid)); }
  const Stored* Find(const EntityUid& uid, size_t hash) const;
  size_t size() const { return stored_.size(); }
  bool closed() const { return closed_; }
  template <class Visitor>
  void ForEach(Visitor&& visit) const {
    for (const auto& [key, stored] : stored_) visit(stored);
  }
  std::vector<EntityUid> Uids() const;  // sorted

 private:
  struct Key {
    EntityUid uid;
    size_t hash;
  };
  struct View {  // lookup without building a key
    const EntityUid* uid;
    size_t hash;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const Key& key) const { return key.hash; }
    size_t operator()(const View& view) const { return view.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Key& a, const Key& b) const { return a.uid == b.uid; }
    bool operator()(const View& a, const Key& b) const { return *a.uid == b.uid; }
    bool operator()(const Key& a, const View& b) const { return a.uid == *b.uid; }
  };

  Result<void> Conform(const Schema& schema) const;  // all but actions
  Result<void> TakeActions(const Schema& schema);

  std::unordered_map<Key, Stored, Hash, Equal> stored_;
  bool closed_ = true;
};

// One or two stores seen as one: the first that knows an entity answers.
class EntityView {
 public:
  // Pointers into the stores (or to the argument), for a walk up the hierarchy without copies.
  using Uids = boost::container::small_vector<const Value*, 64>;

  EntityView(const Entities& base, const Entities* request) : base_(base), request_(request) {}
  const Entities::Stored* Find(const EntityUid& uid, size_t hash) const;
  const Entities::Stored* Find(const Value& uid) const {
    return Find(uid.entity(), uid.entity_hash());
  }
  // Whether `child` is `parent` or lies below it.
  bool In(const Value& child, const Value& parent) const;
  // `child` and all its ancestors, possibly with repetitions.
  void SelfAndAncestors(const Value& child, Uids& out) const;

 private:
  // Whether the precomputed ancestors are the whole answer.
  bool IsClosed(const Entities::Stored& stored) const;

  const Entities& base_;     // must outlive the view
  const Entities* request_;  // may be null; must outlive the view
};

}  // namespace portcullis::policy::cedar
