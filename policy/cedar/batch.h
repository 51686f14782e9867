// One authorisation or validation question as one line of JSON, answered as one line of JSON: what
// `portcullis policy authorize --batch` and `validate --batch` do for each line of standard input.
//   {"policies": text, "schema"?: text, "entities": […], "request": {"principal", "action",
//    "resource": {"type","id"}, "context"?: {…}}}
//     → {"decision":"allow"|"deny","reasons":[ids],"errors":[ids]}
//   {"policies": text, "schema": text} → {"ok":bool,"errors":[{"policy","message"}],"warnings":[…]}
// A line that cannot be answered gives a deny (or "ok":false) with "error":{"code","message"}.
// Policy sets, schemas and entity stores are remembered by their text, so that many requests
// against the same set parse it once. Not thread-safe.
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

 private:
  struct Cache;

  Result<Response> Decide(std::string_view line);
  Result<const PolicySet*> Policies(const Json& document);
  Result<const Schema*> OptionalSchema(const Json& document);

  std::unique_ptr<Cache> cache_;
};

// {"principal","action","resource","context"?}; with a schema the context is read by it and the
// request must conform to it.
Result<Request> RequestFromJson(const Json& json, const Schema* schema);
std::string ToJson(const Response& response);

}  // namespace portcullis::policy::cedar
