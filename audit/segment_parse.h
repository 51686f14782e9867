// One segment file, parsed and checked as far as the segment alone allows: frames, leaf and payload
// hashes, the header's endorsement, the batches' signatures. What joins segments (contiguity, roots,
// links) is scan.h's. Pure but for reading the file; safe on any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/record.h"
#include "audit/segment.h"

namespace portcullis::audit {

// Where it lies; ParsedSegment knows what it says.
struct ParsedRecord {
  Hash hash{};
  uint64_t seq = 0;
  uint64_t wall_us = 0;
  uint64_t frame_at = 0;     // offset in the file
  size_t kept_at = 0;        // of the leaf; the payload follows it
  size_t payload_size = 0;   // of what is kept
  bool erased = false;
  uint16_t shredded = 0;     // bit of each part's type: zeros stand in its place
};

struct ParsedBatch {
  Batch batch;
  Hash hash{};               // SHA-256 of its body
  size_t records = 0;        // ParsedSegment::records before its frame
  uint64_t end = 0;          // offset in the file
};

struct ParsedSegment {
  // Why parsing ended. kFrame: these bytes are not a frame, perhaps a torn tail. kContent: a frame whose
  // content is wrong.
  enum class Stop { kEnd, kUnreadable, kFrame, kContent };

  uint64_t base = 0;         // offset in the file where parsing began
  uint64_t file_end = 0;     // size of the file
  std::string kept;          // leaf after leaf, with the payloads asked for
  bool has_header = false;
  SegmentHeader header;
  Hash header_hash{};
  uint64_t header_end = 0;
  std::vector<ParsedRecord> records;
  std::vector<ParsedBatch> batches;
  Stop stop = Stop::kEnd;
  uint64_t stop_at = 0;      // offset in the file
  Error why;
  bool stop_in_record = false;
  bool signed_tail = false;  // with kFrame: a batch that the segment's key signed lies behind

  std::string_view LeafBytes(const ParsedRecord& record) const {
    return std::string_view(kept).substr(record.kept_at, kLeafSize);
  }
  std::string_view Payload(const ParsedRecord& record) const {
    return std::string_view(kept).substr(record.kept_at + kLeafSize, record.payload_size);
  }
  // Decoded again: a leaf is read once more at most, and kept as bytes it takes half the memory.
  Leaf LeafOf(const ParsedRecord& record) const { return DecodeLeaf(LeafBytes(record)).value(); }
};

// Payloads are checked in any case. kOfKeys: those of KEY records are kept, which is all that a check
// without an auditor's key needs, and a tenth of the memory.
enum class KeepPayloads { kAll, kOfKeys };

// From `offset` on. With offset > 0 the header comes from the caller (`writer`, `origin`).
struct ParseFrom {
  uint64_t offset = 0;
  PublicKey writer{};
};
// `reused`: a segment that is done with, whose memory saves asking the system for as much again.
ParsedSegment ParseSegmentFile(const std::filesystem::path& path, const VerifierKey& log_key, const ParseFrom& from,
                               KeepPayloads keep = KeepPayloads::kAll, ParsedSegment reused = {});

// The header alone, with its endorsement checked; for a start in the middle.
struct HeaderAndHash {
  SegmentHeader header;
  Hash hash{};
};
Result<HeaderAndHash> ReadSegmentHeader(const std::filesystem::path& path, const VerifierKey& log_key);

}  // namespace portcullis::audit
