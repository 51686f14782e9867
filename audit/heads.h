// The heads that a verifier compares with the segments: the log's checkpoint, those that witnesses cosigned, those
// that whoever verifies has kept. Rules 4 to 6 of VERDICTS in FORMAT.md. Reads files, holds no state.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/verify.h"

namespace portcullis::audit {

struct SeenHead {
  Checkpoint checkpoint;
  std::string whose;    // in words
  bool given = false;   // by who verifies, not found in the folder
};

struct Heads {
  std::string checkpoint;              // the log's own, as it is signed
  std::vector<SeenHead> heads;         // it comes first
  std::vector<WitnessSeen> witnesses;  // the largest head of each
};

Result<Heads> ReadHeads(const VerifyOptions& options, const VerifierKey& key);

// The notes in files that somebody kept, to `options.seen`. kInvalidArgument, naming the file, where they are not of the
// log that is verified: of the key given, of the successor that it named, or of the folder's own key.
Result<void> ReadSeen(const std::vector<std::string>& files, VerifyOptions& options);

}  // namespace portcullis::audit
