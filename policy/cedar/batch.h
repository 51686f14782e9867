// One authorisation or validation question as one line of JSON, answered as one line of JSON: what
// `portcullis policy authorize | validate | convert | format --batch` do for each line of standard
// input.
//   {"policies", "schema"?, "entities": […], "request": {"principal", "action", "resource":
//    {"type","id"}, "context"?: {…}}}  → {"decision":"allow"|"deny","reasons":[ids],"errors":[ids]}
//   {"policies", "schema", "mode"?: "strict"|"permissive"}
//     → {"ok":bool,"errors":[{"policy","message"}],"warnings":[…]}
//   {"policies" or "schema", "to": "json"|"text"} → {"json":…} or {"text":…}       (convert)
//   {"policies"} → {"text":…}                                                       (format)
// "policies" is Cedar text or a policy set in JSON, "schema" Cedar's syntax or JSON; with text,
// "templateLinks" may link its templates.
// A line that cannot be answered gives a deny (or "ok":false) with "error":{"code","message"}.
// The last policy set, schema and entity store are remembered, so that many requests in a row
// against the same ones read them once. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "policy/cedar/authorize.h"
#include "policy/cedar/json.h"
#include "policy/cedar/schema.h"

namespace portcullis::policy::cedar {

class Batch {
 public:
  Batch();
  ~Batch();

  struct Answer {
    std::string json;
    bool answered = true;  // false: the line itself was unusable
    bool yes = false;      // allow, or ok
  };
  Answer Authorize(std::string_view line);
  Answer Validate(std::string_view line);
  Answer Convert(std::string_view line);
  Answer Format(std::string_view line);

 private:
  struct Cache;

  Result<Response> Decide(std::string_view line);
  Result<const PolicySet*> Policies(const Json& document);
  Result<const Schema*> OptionalSchema(const Json& document);
  Result<const Entities*> StoreOf(const Json& document, const Schema* schema);

  std::unique_ptr<Cache> cache_;
};

// {"principal","action","resource","context"?}; with a schema the context is read by it and the
// request must conform to it.
Result<Request> RequestFromJson(const Json& json, const Schema* schema);
std::string ToJson(const Response& response);

}  // namespace portcullis::policy::cedar
