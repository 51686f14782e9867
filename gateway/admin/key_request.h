// The body of POST /admin/v1/keys, checked:
//   {"principal": "alice", "tenant": "default", "kind": "user"|"workload", "label", "home",
//    "departments": […], "roles": […], "clearance": 0, "valid_days": 0,
//    "limits": {"requests_per_minute", "tokens_per_minute", "concurrent_streams", "tokens_per_day",
//               "tokens_per_month"}}
// and of PUT /admin/v1/principals/{id}: the same fields without those of a key, and
// "certificate": the SAN URI that proves the principal. Only `principal` is required. Unknown fields are refused: a misspelt limit must not be no limit.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "gateway/error.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

struct KeyIssueRequest {
  std::string principal;
  std::string tenant = "default";
  EntityKind kind = EntityKind::kUser;
  std::string label;
  std::string home;
  std::vector<std::string> departments;
  std::vector<std::string> roles = {"staff"};
  int64_t clearance = 0;
  int64_t valid_seconds = 0;
  UsageLimits limits;
  std::string certificate_uri;

  Principal NewPrincipal() const;
};

// `principal` is taken from the path when given there.
Result<KeyIssueRequest> ReadKeyIssueRequest(const boost::json::value& document,
                                            const std::string& principal = "");

}  // namespace portcullis::gateway
