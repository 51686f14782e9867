// Beginning to read in the middle of a log: the header of a segment says with which record and after which batch it
// begins; the tree before it is folded from the cached tiles and proved to be that of the signed checkpoint.
// So a scan from there checks as much as one from the first byte, but for what lies before. Where tiles or header
// are not good there is an error, and the caller reads the whole log. Reads files; safe on any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/scan.h"
#include "audit/segment.h"

namespace portcullis::audit {

// What a segment's header says. Its day and key are endorsed by the log key; that they are this segment's, and the
// rest of it, only the segment's batches say.
struct SegmentPlace {
  uint64_t number = 0;
  uint64_t first_seq = 0;
  uint32_t day = 0;        // of its records, within an hour
  Hash previous_batch{};
  PublicKey writer{};
  Hash hash{};             // of the header
  uint64_t header_end = 0; // offset in the file
};

Result<Checkpoint> SignedHead(const std::filesystem::path& log_folder, const VerifierKey& key);
Result<SegmentPlace> PlaceOfSegment(const std::filesystem::path& log_folder, const VerifierKey& key, uint64_t number);
// The last batch of the segment, which binds header and batch to each other: signed by the header's key, over the
// header's hash. None where the file is its header alone. kTampered where it does not end with such a batch.
struct SegmentEnd {
  uint64_t size = 0;       // of the log
  Hash batch{};
};
Result<std::optional<SegmentEnd>> EndOfSegment(const std::filesystem::path& log_folder, const VerifierKey& key,
                                               const SegmentPlace& place);
// kNotFound when the segment begins after the head.
Result<ScanStart> StartOfSegment(const std::filesystem::path& log_folder, const Checkpoint& head, const SegmentPlace& place);
// The newest segment after whose begin at least `records` records are under the head.
Result<ScanStart> StartFromEnd(const std::filesystem::path& log_folder, const VerifierKey& key, const Checkpoint& head,
                               uint64_t records);

}  // namespace portcullis::audit
