// Which policies can apply to a request at all. Every policy is filed once, under the rarest thing
// its head demands (a resource, principal, action or one of their types), so that a request looks
// at a few buckets instead of at every policy. Built once with the set; read-only afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/cedar/ast.h"
#include "policy/cedar/entities.h"

namespace portcullis::policy::cedar {

class PolicyIndex {
 public:
  explicit PolicyIndex(const std::vector<Policy>& policies);

  // Calls visit(position) for every policy that may match; a position can come more than once
  // when a policy names several actions.
  template <class Visitor>
  void ForEachCandidate(const EntityView& entities, const Value& principal, const Value& action,
                        const Value& resource, Visitor&& visit) const {
    VisitBucket(rest_, visit);
    VisitEntities(by_principal_, entities, principal, visit);
    VisitEntities(by_action_, entities, action, visit);
    VisitEntities(by_resource_, entities, resource, visit);
    VisitType(by_principal_type_, principal, visit);
    VisitType(by_resource_type_, resource, visit);
  }

 private:
  using Bucket = std::vector<uint32_t>;
  struct Hash {
    size_t operator()(const Value& uid) const { return uid.entity_hash(); }
  };
  using ByEntity = std::unordered_map<Value, Bucket, Hash>;
  using ByType = std::map<std::string, Bucket, std::less<>>;

  template <class Visitor>
  static void VisitBucket(const Bucket& bucket, Visitor& visit) {
    for (const uint32_t position : bucket) visit(position);
  }
  template <class Visitor>
  static void VisitEntities(const ByEntity& index, const EntityView& entities, const Value& uid,
                            Visitor& visit) {
    if (index.empty()) return;
    EntityView::Uids above;
    entities.SelfAndAncestors(uid, above);
    for (const Value* candidate : above) {
      const auto found = index.find(*candidate);
      if (found != index.end()) VisitBucket(found->second, visit);
    }
  }
  template <class Visitor>
  static void VisitType(const ByType& index, const Value& uid, Visitor& visit) {
    const auto found = index.find(uid.entity().type);
    if (found != index.end()) VisitBucket(found->second, visit);
  }

  ByEntity by_principal_;
  ByEntity by_action_;
  ByEntity by_resource_;
  ByType by_principal_type_;
  ByType by_resource_type_;
  Bucket rest_;  // heads that demand nothing
};

}  // namespace portcullis::policy::cedar
