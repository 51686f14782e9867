#include "gateway/admin/key_request.h"

#include <boost/json/object.hpp>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

Error Wrong(std::string param, const std::string& expected) {
  Error error{Code::kInvalidParameter, "`" + param + "` must be " + expected};
  error.param = std::move(param);
  return error;
}

Result<std::string> Text(const json::value& value, const std::string& name) {
  if (!value.is_string() || value.get_string().size() > 128) {
    return Wrong(name, "a string of at most 128 bytes");
  }
  return std::string(value.get_string());
}

Result<std::vector<std::string>> Texts(const json::value& value, const std::string& name) {
  if (!value.is_array() || value.get_array().size() > 32) {
    return Wrong(name, "a list of at most 32 strings");
  }
  std::vector<std::string> out;
  for (const auto& item : value.get_array()) {
    BOOST_OUTCOME_TRY(auto text, Text(item, name));
    out.push_back(std::move(text));
  }
  return out;
}

Result<int64_t> Number(const json::value& value, const std::string& name, int64_t high) {
  if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > high) {
    return Wrong(name, "a number from 0 to " + std::to_string(high));
  }
  return value.get_int64();
}

Result<UsageLimits> Limits(const json::value& value) {
  if (!value.is_object()) return Wrong("limits", "an object");
  UsageLimits limits;
  for (const auto& [name, item] : value.get_object()) {
    BOOST_OUTCOME_TRY(auto number, Number(item, "limits." + std::string(name), 1'000'000'000'000));
    const auto amount = static_cast<uint64_t>(number);
    if (name == "requests_per_minute") limits.requests_per_minute = amount;
    else if (name == "tokens_per_minute") limits.tokens_per_minute = amount;
    else if (name == "concurrent_streams") limits.concurrent_streams = amount;
    else if (name == "tokens_per_day") limits.tokens_per_day = amount;
    else if (name == "tokens_per_month") limits.tokens_per_month = amount;
    else return Wrong("limits." + std::string(name), "absent: there is no such limit");
  }
  return limits;
}

}  // namespace

Principal KeyIssueRequest::NewPrincipal() const {
  Principal made;
  made.id = principal;
  made.tenant = tenant;
  made.kind = kind;
  made.display_name = principal;
  made.roles = roles;
  made.home = home;
  made.clearance = clearance;
  made.departments = departments;
  made.certificate_uri = certificate_uri;
  return made;
}

Result<KeyIssueRequest> ReadKeyIssueRequest(const json::value& document,
                                            const std::string& principal) {
  if (!document.is_object()) return Error{Code::kBadRequest, "the body must be a JSON object"};
  KeyIssueRequest request;
  request.principal = principal;
  for (const auto& [key, value] : document.get_object()) {
    const std::string name(key);
    if (name == "principal" && principal.empty()) {
      BOOST_OUTCOME_TRY(request.principal, Text(value, name));
    } else if (name == "tenant") {
      BOOST_OUTCOME_TRY(request.tenant, Text(value, name));
    } else if (name == "label") {
      BOOST_OUTCOME_TRY(request.label, Text(value, name));
    } else if (name == "home") {
      BOOST_OUTCOME_TRY(request.home, Text(value, name));
    } else if (name == "certificate") {
      BOOST_OUTCOME_TRY(request.certificate_uri, Text(value, name));
    } else if (name == "kind") {
      BOOST_OUTCOME_TRY(auto kind, Text(value, name));
      if (kind != "user" && kind != "workload") return Wrong(name, "user or workload");
      request.kind = kind == "user" ? EntityKind::kUser : EntityKind::kWorkload;
    } else if (name == "departments") {
      BOOST_OUTCOME_TRY(request.departments, Texts(value, name));
    } else if (name == "roles") {
      BOOST_OUTCOME_TRY(request.roles, Texts(value, name));
    } else if (name == "clearance") {
      BOOST_OUTCOME_TRY(request.clearance, Number(value, name, 1000));
    } else if (name == "valid_days") {
      BOOST_OUTCOME_TRY(auto days, Number(value, name, 3650));
      request.valid_seconds = days * 86400;
    } else if (name == "limits") {
      BOOST_OUTCOME_TRY(request.limits, Limits(value));
    } else {
      return Wrong(name, "absent: there is no such field");
    }
  }
  if (request.principal.empty()) return Wrong("principal", "the id of a user or workload");
  return request;
}

}  // namespace portcullis::gateway
