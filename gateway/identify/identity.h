// Who is asking, proved. Only Identifier can make one; there is no empty, default or anonymous
// Identity, so code that holds one holds the outcome of a successful proof. A cheap immutable
// value: copies share the profile. Safe to read from any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/state/key_table.h"

namespace portcullis::gateway {

// How the caller was proved. DO NOT CHANGE THESE VALUES: they are written to the audit log.
enum class Method : uint8_t { kApiKey = 1, kCertificate = 2, kUnixPeer = 3 };

std::string_view ToString(Method method);

class Identity {
 public:
  const std::string& subject() const { return profile_->principal.id; }
  EntityKind kind() const { return profile_->principal.kind; }
  const std::string& display_name() const { return profile_->principal.display_name; }
  const std::vector<std::string>& roles() const { return profile_->principal.roles; }
  bool HasRole(std::string_view role) const {
    return std::ranges::find(roles(), role) != roles().end();
  }
  const std::vector<std::string>& departments() const { return profile_->principal.departments; }
  const std::string& home() const { return profile_->principal.home; }
  int64_t clearance() const { return profile_->principal.clearance; }

  const Tenant& tenant() const { return profile_->tenant; }
  Method method() const { return method_; }

  // Public id of the key; empty unless method() is kApiKey.
  const std::string& key_id() const { return key_id_; }

  // The account that limits and budgets are counted on: the key, else the principal.
  const std::string& account() const { return account_; }
  const UsageLimits& limits() const { return limits_; }

 private:
  friend class Identifier;

  Identity(std::shared_ptr<const Profile> profile, Method method, std::string key_id,
           const UsageLimits& limits)
      : profile_(std::move(profile)),
        method_(method),
        key_id_(std::move(key_id)),
        account_(key_id_.empty() ? "principal:" + profile_->principal.id : "key:" + key_id_),
        limits_(limits) {}

  std::shared_ptr<const Profile> profile_;
  Method method_;
  std::string key_id_;
  std::string account_;
  UsageLimits limits_;
};

}  // namespace portcullis::gateway
