#include "gateway/state/validate.h"

#include <algorithm>
#include <string_view>

namespace portcullis::gateway {
namespace {

constexpr size_t kMaxTextBytes = 256;
constexpr size_t kMaxSetSize = 64;
constexpr size_t kMaxUriBytes = 512;

Error Invalid(std::string_view field, std::string_view rule) {
  return Error{Code::kInvalidParameter, "`" + std::string(field) + "` " + std::string(rule),
               std::string(field)};
}

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsName(std::string_view text, std::string_view extra, size_t max) {
  return !text.empty() && text.size() <= max && std::ranges::all_of(text, [extra](char c) {
    return IsAlnum(c) || extra.find(c) != std::string_view::npos;
  });
}

// Length of the well-formed UTF-8 sequence (Unicode table 3-7) at the start of `text`; 0 if none.
size_t SequenceLength(std::string_view text) {
  const auto at = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto tail = [at](size_t i) { return at(i) >= 0x80 && at(i) <= 0xbf; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return at(1) >= low && at(1) <= high && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return at(1) >= low && at(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool IsText(std::string_view text) {
  if (text.size() > kMaxTextBytes) return false;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const size_t length = SequenceLength(text);
    if (length == 0 || c < 0x20 || c == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<void> ValidateLimits(const UsageLimits& limits) {
  for (const uint64_t value :
       {limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_streams,
        limits.tokens_per_day, limits.tokens_per_month}) {
    if (value > UsageLimits::kUnlimited) return Invalid("limits", "must be below 2^63");
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<void> Validate(const Tenant& tenant) {
  if (!IsName(tenant.id, "._-", 64)) {
    return Invalid("tenant", "must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  if (!IsText(tenant.name)) {
    return Invalid("name", "must be UTF-8 without control characters, at most 256 bytes");
  }
  if (tenant.weight < 1 || tenant.weight > 1000) return Invalid("weight", "must be 1 to 1000");
  return ValidateLimits(tenant.limits);
}

Result<void> Validate(const Principal& principal) {
  if (!IsName(principal.id, "._@:/-", 128)) {
    return Invalid("principal", "must be 1 to 128 characters of A-Z a-z 0-9 . _ @ : / -");
  }
  if (!IsName(principal.tenant, "._-", 64)) {
    return Invalid("tenant", "must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  if (!IsText(principal.display_name)) {
    return Invalid("display_name", "must be UTF-8 without control characters, at most 256 bytes");
  }
  if (!principal.home.empty() && !IsName(principal.home, "-", 16)) {
    return Invalid("home", "must be a jurisdiction of at most 16 characters of A-Z a-z 0-9 -");
  }
  const auto is_member = [](const std::string& name) { return IsName(name, "._-", 64); };
  if (principal.roles.size() > kMaxSetSize || !std::ranges::all_of(principal.roles, is_member)) {
    return Invalid("roles", "must be at most 64 names of A-Z a-z 0-9 . _ -");
  }
  if (principal.departments.size() > kMaxSetSize ||
      !std::ranges::all_of(principal.departments, is_member)) {
    return Invalid("departments", "must be at most 64 names of A-Z a-z 0-9 . _ -");
  }
  const std::string& uri = principal.certificate_uri;
  if (uri.size() > kMaxUriBytes ||
      !std::ranges::all_of(uri, [](char c) { return c > 0x20 && c < 0x7f; })) {
    return Invalid("certificate_uri", "must be a URI in visible ASCII, at most 512 bytes");
  }
  return boost::outcome_v2::success();
}

Result<void> Validate(const ApiKey& key) {
  if (!IsName(key.id, "_", 64)) return Invalid("id", "is not the id of a key");
  if (!IsText(key.label)) {
    return Invalid("label", "must be UTF-8 without control characters, at most 256 bytes");
  }
  if (key.created < 0 || key.expires < 0 || key.revoked != 0) {
    return Invalid("expires", "must not be before 1970");
  }
  return ValidateLimits(key.limits);
}

}  // namespace portcullis::gateway
