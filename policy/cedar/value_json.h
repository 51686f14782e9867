// Cedar's JSON form of values: plain JSON, {"__entity":{"type","id"}} and {"__extn":{"fn","arg"}}.
// Where the schema gives an expected type, an extension value may be its bare string and an entity
// a bare {"type","id"}. Errors name the path inside the document, for example attrs.home.
#pragma once

#include <string>

#include "policy/cedar/json.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Type;  // schema.h

// `expected` may be null: then only the explicit forms are taken.
Result<Value> ValueFromJson(const Json& json, const Type* expected, const std::string& path);
// {"type","id"}, optionally wrapped in {"__entity":…}.
Result<EntityUid> UidFromJson(const Json& json, const std::string& path);
// The context of a request: a record.
Result<Value> ContextFromJson(const Json& json, const Type* expected, const std::string& path);
// Whether `text` is A::B::C without blanks and reserved words.
bool IsTypeName(std::string_view text);

std::string ToJson(const Value& value);
std::string ToJson(const EntityUid& uid);

}  // namespace portcullis::policy::cedar
