// Cedar's JSON form of schemas, read into the schema as written. Errors name the path inside the
// document; `places` receives a path for every WrittenPath::offset.
#pragma once

#include <string>
#include <vector>

#include "policy/cedar/json.h"
#include "policy/cedar/schema_syntax.h"

namespace portcullis::policy::cedar {

Result<WrittenSchema> SchemaFromJson(const Json& document, std::string_view file_name,
                                     std::vector<std::string>& places);

}  // namespace portcullis::policy::cedar
