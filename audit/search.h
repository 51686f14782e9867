// Searching the log: with the index where there is a good one, always with the segments. Every record that
// comes out was read from its segment and checked: frame, payload hashes, place, leaf hash under the signed
// checkpoint by way of the tiles, and the query itself. What lies after the index is read in order. An
// index that is missing, damaged or at odds with the log is built anew, and the outcome says so; where it
// cannot be made (a folder that one may only read, a full disk) the whole log is read instead. So an index
// makes a search quick and never makes it say something else.
// Not thread-safe; any number of processes, one of them with the index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/index.h"
#include "audit/note.h"
#include "audit/query.h"
#include "audit/scan.h"

namespace portcullis::audit {

struct SearchOptions {
  std::filesystem::path log_folder;
  VerifierKey key;
  Query query;
  uint64_t limit = 0;             // records; 0: all
  bool use_index = true;
  // So many records are read from the segments with every search before they are taken into the index.
  uint64_t extend_after = 4096;
  uint64_t max_hits = 20'000;     // beyond, reading in order is quicker than here and there
  ScanProgress progress;
};

// What the answer rests on.
struct SearchOutcome {
  uint64_t found = 0;
  uint64_t indexed = 0;           // records 0 to indexed-1 were looked up in the index
  Hash indexed_root{};            // of the tree of those records
  uint64_t read = 0;              // records read one after another
  uint64_t checkpoint = 0;        // records under the signed checkpoint
  std::vector<std::string> warnings;
};

// An error when the log is damaged, or shorter than its signed checkpoint; what was found before was told.
// That log and checkpoint were put back together is the verifier's to find (verify.h).
Result<SearchOutcome> SearchLog(const SearchOptions& options, const OnFound& found);

// Makes the index ready for the next search, anew where it must be or where `anew` says so. Returns what
// it covers; `warnings` tells why it was built anew.
Result<IndexCover> RefreshIndex(const std::filesystem::path& log_folder, const VerifierKey& key, bool anew,
                                const ScanProgress& progress, std::vector<std::string>& warnings);

}  // namespace portcullis::audit
