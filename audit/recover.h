// Start of a log: lock, read what lies after the signed head, compare with the signer's memory and with
// what witnesses cosigned, cut a torn tail. The whole log is read only where the cached tiles or the
// head do not fit. A log that is smaller than what was signed, or has another history, is refused: it is
// not for this program to decide which one is true (override.h). The bytes that are cut are kept in
// torn/ and told in a RECOVERY record.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "audit/appender.h"
#include "audit/composer.h"
#include "audit/error.h"
#include "audit/signer.h"
#include "audit/tiles.h"

namespace portcullis::audit {

struct Recovery {
  LogTail tail;
  TileStore tiles;
  std::vector<Hash> unsigned_leaves;     // from the signer's size on
  Composer::OpenRequests open;           // REQs without an end
  uint64_t records_read = 0;             // from the segments, for this start
  bool tiles_rebuilt = false;
  bool unclean = false;                  // the last record is not a STOP, or a tail was cut
  uint64_t cut_bytes = 0;
  std::string cut_file;                  // under torn/, when cut_bytes > 0
  Hash cut_hash{};
};

// The caller holds the log's lock.
Result<Recovery> RecoverLog(const std::filesystem::path& log_folder, const Signer& signer);

// kRolledBack or kForked where a checkpoint that this log signed, and somebody else has seen, is larger
// than the log or has another root. `tiles` must reach to the log's end.
Result<void> CompareWithSeen(const std::filesystem::path& log_folder, const Signer& signer,
                             const TileStore& tiles, const Checkpoint& seen, const std::string& by_whom);

}  // namespace portcullis::audit
