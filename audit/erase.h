// Takes the ciphertext of destroyed keys out of the segments: each RECORD frame of such a key becomes an
// ERASED frame, which holds the leaf alone. Leaves, batches, roots and every proof stay as they are. A
// segment is written anew beside the old one, synced and renamed over it, so a crash leaves one or the
// other. Only for segments that are not written to any more. ERASURE in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>

#include "audit/error.h"
#include "audit/record.h"

namespace portcullis::audit {

struct EraseReport {
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t segments = 0;  // written anew
};

// All segments below `end`; `after_each` segment is called, where given.
Result<EraseReport> EraseFromSegments(const std::filesystem::path& log_folder, uint64_t end,
                                      const std::set<SubjectKeyId>& keys,
                                      const std::function<void()>& after_each = nullptr);

}  // namespace portcullis::audit
