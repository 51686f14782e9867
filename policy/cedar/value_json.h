// Cedar's JSON form of values: plain JSON, {"__entity":{"type","id"}} and {"__extn":{"fn","arg"}}.
// Where the schema gives an expected type, an extension value may be its bare string and an entity
// a bare {"type","id"}. Errors name the path inside the document, for example attrs.home.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/cedar/json.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Type;  // schema.h

// {"__extn":{"fn","arg"}} or {"__extn":{"fn","args"}}, the only member of its object.
struct ExtensionEscape {
  std::string function;
  std::vector<const Json*> arguments;
};
std::optional<ExtensionEscape> AsExtensionEscape(const Json& json);
bool IsEntityEscape(const Json& json);      // {"__entity":{"type","id"}}
bool IsExpressionEscape(const Json& json);  // {"__expr":text}, which Cedar no longer takes

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
