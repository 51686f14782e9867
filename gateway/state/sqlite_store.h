// Store in one SQLite file, opened by one process at a time (locking_mode EXCLUSIVE: a second
// opener is told so), durable at each change (journal_mode TRUNCATE, synchronous EXTRA), strict
// tables, foreign keys, secure_delete, prepared statements only. See FORMAT.md; versioned by
// user_version and migrated forward; a newer version is refused.
//
// The file is created 0600 and refused if it is a link, not a regular file, not ours, or readable
// by others; so is a folder that others can write to. Destruction waits for work under way.
#pragma once

#include <string>

#include "gateway/state/store.h"

namespace portcullis::gateway {

// Creates the file when it does not exist.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

}  // namespace portcullis::gateway
