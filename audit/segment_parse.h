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

inline constexpr uint64_t kMaxSegmentFile = 256u << 20;

struct ParsedRecord {
  Leaf leaf;
  Hash hash{};
  std::string_view bytes;    // of the leaf
  std::string_view payload;
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

  uint64_t base = 0;         // offset in the file of `content`
  std::string content;
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

  // Where in the file the record's frame begins.
  uint64_t FrameOf(const ParsedRecord& record) const {
    return base + static_cast<uint64_t>(record.bytes.data() - content.data()) - kFrameHeader;
  }
};

// From `offset` on. With offset > 0 the header comes from the caller (`writer`, `origin`).
struct ParseFrom {
  uint64_t offset = 0;
  PublicKey writer{};
};
// `reused`: the memory of a segment that is done with, which saves asking the system for as much again.
ParsedSegment ParseSegmentFile(const std::filesystem::path& path, const VerifierKey& log_key,
                               const ParseFrom& from, std::string reused = {});

// The header alone, with its endorsement checked; for a start in the middle.
struct HeaderAndHash {
  SegmentHeader header;
  Hash hash{};
};
Result<HeaderAndHash> ReadSegmentHeader(const std::filesystem::path& path, const VerifierKey& log_key);

}  // namespace portcullis::audit
