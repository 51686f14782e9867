// Takes the ciphertext of destroyed keys out of the segments: each RECORD frame of such a key becomes an
// ERASED frame, which holds the leaf alone; where one part was shredded, its bytes become zeros and the frame a
// SHREDDED one. Leaves, batches, roots and every proof stay as they are. A
// segment is written anew beside the old one, synced and renamed over it, so a crash leaves one or the
// other. Only for segments that are not written to any more. ERASURE in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/record.h"

namespace portcullis::audit {

// What has lost its keys.
struct EraseTargets {
  std::set<SubjectKeyId> keys;
  std::map<uint64_t, uint16_t> parts;  // by seq of the record, PartBit each

  bool empty() const { return keys.empty() && parts.empty(); }
};

struct EraseReport {
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t segments = 0;  // written anew
};

// What is destroyed and still stands in the segments, by end segment.
std::map<uint64_t, EraseTargets> TargetsOf(const KeyStore::Erasures& pending);

// All segments below `end`; `after_each` segment is called, where given.
Result<EraseReport> EraseFromSegments(const std::filesystem::path& log_folder, uint64_t end,
                                      const EraseTargets& targets,
                                      const std::function<void()>& after_each = nullptr);

// The part table of a record as it stands in the segments now; nothing where the content was erased.
Result<std::vector<PartEntry>> FindParts(const std::filesystem::path& log_folder, uint64_t seq);

}  // namespace portcullis::audit
