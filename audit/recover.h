// Start of a log: lock, read everything, compare with the signer's memory, cut a torn tail. A log that
// is smaller than what was signed, or has another history, is refused: it is not for this program to
// decide which one is true. The bytes that are cut are kept in torn/ and told in a RECOVERY record.
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
  bool unclean = false;                  // the last record is not a STOP, or a tail was cut
  uint64_t cut_bytes = 0;
  std::string cut_file;                  // under torn/, when cut_bytes > 0
  Hash cut_hash{};
};

// The caller holds the log's lock.
Result<Recovery> RecoverLog(const std::filesystem::path& log_folder, const Signer& signer);

}  // namespace portcullis::audit
