// Turns a schema as written into a Schema: resolves names, closes hierarchies, refuses what
// contradicts itself. Where a declaration stands is told by whoever read it.
#pragma once

#include <functional>
#include <string>

#include "policy/cedar/schema.h"
#include "policy/cedar/schema_syntax.h"

namespace portcullis::policy::cedar {

// A message with the place of WrittenPath::offset.
using SchemaPlace = std::function<std::string(size_t offset, const std::string& message)>;

Result<Schema> BuildSchema(const WrittenSchema& schema, SchemaPlace place);

}  // namespace portcullis::policy::cedar
