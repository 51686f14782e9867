// The tables of state.db and the way from one version of them to the next. See FORMAT.md.
// Store thread only.
#pragma once

#include "gateway/error.h"
#include "gateway/state/sqlite.h"

namespace portcullis::gateway {

inline constexpr int kSchemaVersion = 1;

// Sets the pragmas, takes the exclusive lock, checks the file and brings the tables up to date.
// kState when the file is damaged, newer than this program, another program's, or in use.
Result<void> PrepareSchema(Database& db, const std::string& path);

}  // namespace portcullis::gateway
