// Whose keys a folder holds: a reader that is given the keys of another log finds nothing, and must not say that
// there is nothing. Reads files, holds no state.
#pragma once

#include <filesystem>

#include "audit/error.h"
#include "audit/note.h"

namespace portcullis::audit {

// Fails, naming both, unless the list of auditors in the folder is signed by this log's key, or the log is one that
// an override set aside here.
Result<void> CheckKeysAreOf(const std::filesystem::path& keys_folder, const VerifierKey& log_key);

}  // namespace portcullis::audit
