// A policy set on disk: DIR/*.cedar (in order of their names), DIR/schema.cedarschema and
// DIR/entities.json, the last two optional. Reads everything at once and keeps nothing open.
// The gateway loads its policies with this; so do `policy check`, `policy test` and the tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "policy/cedar/entities.h"
#include "policy/cedar/policy_set.h"
#include "policy/cedar/schema.h"

namespace portcullis::policy::cedar {

struct Folder {
  PolicySet policies;
  std::unique_ptr<const Schema> schema;  // null when the folder has none
  Entities entities;                     // closed; with a schema they conform to it
};

// kFile when something cannot be read, otherwise what the parsers say.
Result<Folder> LoadFolder(const std::filesystem::path& dir);
Result<std::string> ReadTextFile(const std::filesystem::path& path, size_t limit);

}  // namespace portcullis::policy::cedar
