#include "policy/cedar/index.h"

#include <algorithm>

namespace portcullis::policy::cedar {
namespace {

// Every key under which a head could be filed, per part of the head.
struct Keys {
  std::vector<Value> principal, action, resource;
  std::string principal_type, resource_type;
  bool never = false;  // action in []
};

Keys KeysOf(const Policy& policy) {
  const auto split = [](const Scope& scope, std::vector<Value>& uids, std::string& type) {
    if (scope.op == ScopeOp::kEqual || scope.op == ScopeOp::kIn || scope.op == ScopeOp::kIsIn) {
      uids.push_back(scope.entity);
    } else if (scope.op == ScopeOp::kInList) {
      uids = scope.list;
    } else if (scope.op == ScopeOp::kIs) {
      type = scope.type;
    }
  };
  Keys keys;
  std::string unused;
  split(policy.principal, keys.principal, keys.principal_type);
  split(policy.action, keys.action, unused);
  split(policy.resource, keys.resource, keys.resource_type);
  keys.never = policy.action.op == ScopeOp::kInList && policy.action.list.empty();
  return keys;
}

}  // namespace

PolicyIndex::PolicyIndex(const std::vector<Policy>& policies) {
  std::unordered_map<Value, size_t, Hash> principals, actions, resources;
  std::map<std::string, size_t> principal_types, resource_types;
  std::vector<Keys> all;
  all.reserve(policies.size());
  for (const Policy& policy : policies) {
    const Keys& keys = all.emplace_back(KeysOf(policy));
    for (const Value& uid : keys.principal) ++principals[uid];
    for (const Value& uid : keys.action) ++actions[uid];
    for (const Value& uid : keys.resource) ++resources[uid];
    if (!keys.principal_type.empty()) ++principal_types[keys.principal_type];
    if (!keys.resource_type.empty()) ++resource_types[keys.resource_type];
  }
  const auto weight = [](auto& counts, const std::vector<Value>& uids) {
    size_t sum = uids.empty() ? SIZE_MAX : 0;
    for (const Value& uid : uids) sum += counts[uid];
    return sum;
  };
  for (uint32_t i = 0; i < all.size(); ++i) {
    const Keys& keys = all[i];
    if (keys.never) continue;
    const size_t by_principal = weight(principals, keys.principal);
    const size_t by_action = weight(actions, keys.action);
    const size_t by_resource = weight(resources, keys.resource);
    const size_t by_principal_type =
        keys.principal_type.empty() ? SIZE_MAX : principal_types[keys.principal_type];
    const size_t by_resource_type =
        keys.resource_type.empty() ? SIZE_MAX : resource_types[keys.resource_type];
    const size_t best =
        std::min({by_principal, by_action, by_resource, by_principal_type, by_resource_type});
    const auto file = [i](ByEntity& index, const std::vector<Value>& uids) {
      for (const Value& uid : uids) index[uid].push_back(i);
    };
    if (best == SIZE_MAX) {
      rest_.push_back(i);
    } else if (best == by_resource) {
      file(by_resource_, keys.resource);
    } else if (best == by_principal) {
      file(by_principal_, keys.principal);
    } else if (best == by_action) {
      file(by_action_, keys.action);
    } else if (best == by_resource_type) {
      by_resource_type_[keys.resource_type].push_back(i);
    } else {
      by_principal_type_[keys.principal_type].push_back(i);
    }
  }
}

}  // namespace portcullis::policy::cedar
