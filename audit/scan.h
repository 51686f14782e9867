// Reads a log and checks everything that needs no other file: frames, leaf hashes, payload hashes,
// contiguity, batch roots, the chain of batches, the signatures of the day keys and their endorsement by
// the log key. What verify.h and recover.h share. Segments are parsed on several threads (segment_parse.h)
// and joined in order on the caller's; memory: the leaves of one segment a thread, or all of it with payloads. A
// record reaches the visitor only after its whole batch was found good.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/segment.h"

namespace portcullis::audit {

struct ScannedRecord {
  const Leaf& leaf;
  const Hash& leaf_hash;
  std::string_view leaf_bytes;
  std::string_view payload;  // empty when erased, or not asked for
  bool erased = false;       // the payload was destroyed, the leaf stands
  uint16_t shredded = 0;     // parts that were destroyed alone (PartBit)
  uint64_t segment = 0;      // where its frame begins
  uint64_t offset = 0;
  // The root of the kTileWidth leaves that end with this one, a tile of tlog-tiles; none: no tile ends here.
  std::optional<Hash> tile_root = std::nullopt;
};

// The end of a good batch: a place from which a later scan may go on.
struct BatchEnd {
  uint64_t segment = 0;
  uint64_t offset = 0;
  const Hash& hash;          // of the batch's body
  const CompactRange& tree;  // up to it
};

class ScanVisitor {
 public:
  virtual ~ScanVisitor() = default;
  virtual void OnRecord(const ScannedRecord& record) = 0;
  // After the records of each batch.
  virtual void OnBatch(const BatchEnd& end) { (void)end; }
  // After each segment: for who wants to know the day keys.
  virtual void OnSegment(const SegmentHeader& header, uint64_t records_so_far) {
    (void)header;
    (void)records_so_far;
  }
};

struct Fault {
  Code code = Code::kTampered;
  uint64_t seq = 0;       // the first record that is not proved good
  std::string message;
};

struct ScanResult {
  CompactRange tree;                    // all complete, good batches
  Hash last_batch{};                    // SHA-256 of the last batch's body
  std::map<uint64_t, Hash> roots;       // at the sizes asked for, where reached
  uint64_t batches = 0;
  uint64_t segments = 0;                // in the folder
  uint64_t last_segment = 0;            // number, when segments > 0
  uint64_t good_bytes = 0;              // of the last segment: end of its last good batch, or header
  uint64_t tail_bytes = 0;              // of the last segment: what follows
  bool torn = false;                    // the tail is an unfinished group commit, nothing signed in it
  std::optional<Fault> fault;           // set when the scan stopped early or the tail is torn
};

// Where to begin, when the part before is known.
struct ScanStart {
  uint64_t segment = 0;
  uint64_t offset = 0;    // end of the batch below; 0: the begin of the segment
  Hash last_batch{};
  CompactRange tree;      // up to that batch
};

// Bytes of segments read so far, and the records in them.
using ScanProgress = std::function<void(uint64_t bytes, uint64_t records)>;

struct ScanOptions {
  std::vector<uint64_t> root_sizes;
  bool payloads = true;                 // false: the visitor gets those of KEY records only
  bool live = false;                    // a writer is at work: a torn tail is read again
  std::optional<ScanStart> start;       // none: from the first byte
  std::optional<uint64_t> end_segment;  // the first that is not read; none: to the end
  unsigned threads = 0;                 // 0: as many as the machine has, at most 8
  ScanProgress progress;                // after each batch; none: nobody wants to know
};

ScanResult ScanLog(const std::filesystem::path& log_folder, const VerifierKey& key,
                   const ScanOptions& options, ScanVisitor* visitor);

// The bytes of all segments from this place on, for who shows progress.
uint64_t LogBytes(const std::filesystem::path& log_folder, uint64_t segment = 0, uint64_t offset = 0);

// The segments in order; a gap or a foreign name is the caller's to judge.
Result<std::vector<uint64_t>> ListSegments(const std::filesystem::path& log_folder);

}  // namespace portcullis::audit
