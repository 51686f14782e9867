// Writes a schema as written in Cedar's JSON form or in Cedar's schema syntax.
#pragma once

#include <string>

#include "policy/cedar/schema_syntax.h"

namespace portcullis::policy::cedar {

std::string SchemaJson(const WrittenSchema& schema);
// kUnsupported for what JSON can say and the syntax cannot: an entity type and a common type of
// one name, say.
Result<std::string> SchemaText(const WrittenSchema& schema);

}  // namespace portcullis::policy::cedar
