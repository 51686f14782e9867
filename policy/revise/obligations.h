// What a policy's annotations ask of the appliance beyond yes or no:
//   @log("none|metadata|sealed")  what of the content is recorded     @retention("P30D")
//   @obligation("alert:NAME")     who is told                         @advice("words for the
//   caller")
// @id names the policy. Any other annotation, or a value that cannot be obeyed, is refused when a
// set is checked. Several policies merge to the most restrictive. Plain values, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/error.h"

namespace portcullis::policy::revise {

// Strictest first.
enum class RecordLevel : uint8_t { kNone = 0, kMetadata = 1, kSealed = 2 };
std::string_view ToString(RecordLevel level);

struct Obligations {
  using Annotations = std::map<std::string, std::string>;

  RecordLevel log = RecordLevel::kSealed;
  std::optional<uint32_t> retention_days;  // none: the log's default
  std::vector<std::string> alerts;
  std::vector<std::string> advice;

  static Result<void> Check(const Annotations& annotations);
  // Requires annotations that passed Check.
  void Merge(const Annotations& annotations);

  bool operator==(const Obligations&) const = default;
};

}  // namespace portcullis::policy::revise
