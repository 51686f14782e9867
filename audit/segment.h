// Frames and segment files: how records lie on disk. A segment is a SEGMENT frame (its header), then
// RECORD frames, with a BATCH frame after each group commit; FRAMES in FORMAT.md. Nothing lies outside
// the chain: a record frame is determined by its leaf, leaves are under the batch's root, the batch
// frame holds the hash of the batch before it and of the segment's header and is signed by the key of
// its day, and the header carries the log key's endorsement of that key. An ERASED frame is a RECORD
// frame whose payload was destroyed: the leaf stays, and with it every proof. A SHREDDED frame is one where
// zeros stand in the place of single parts. Pure; files are file.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/record.h"

namespace portcullis::audit {

using PublicKey = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

inline constexpr size_t kFrameHeader = 16;
inline constexpr size_t kBatchFrame = kFrameHeader + 180;
inline constexpr size_t kMaxFrameBody = 80u << 20;
inline constexpr uint64_t kSegmentSize = 64u << 20;  // a new segment begins past this size
inline constexpr uint64_t kMaxSegmentFile = 256u << 20;  // a larger one is refused
inline constexpr size_t kMaxBatch = 256;             // records from clients in one group commit

// DO NOT CHANGE THESE ENUM VALUES: they are part of every segment on disk.
enum class FrameType : uint8_t { kSegment = 1, kRecord = 2, kBatch = 3, kErased = 4, kShredded = 5 };

struct SegmentHeader {
  uint64_t number = 0;      // 0, 1, 2 ... also the file name
  uint64_t first_seq = 0;
  Hash previous_batch{};    // hash of the last BATCH body before this segment; zeros in segment 0
  uint32_t day = 0;         // UTC, days since 1970, of the key and of every record
  PublicKey writer{};       // the key of that day
  Signature endorsement{};  // by the log key, see EndorsementText
  std::string origin;
};

struct Batch {
  uint64_t first_seq = 0;
  uint32_t count = 0;
  uint64_t tree_size = 0;   // after this batch
  Hash root{};              // at tree_size
  Hash previous_batch{};    // SHA-256 of the body of the BATCH frame before this one; zeros at first
  Hash segment_hash{};      // SHA-256 of the body of this segment's SEGMENT frame
  Signature signature{};    // by the writer, see BatchText
};

struct Frame {
  FrameType type = FrameType::kRecord;
  std::string_view body;
  size_t size = 0;  // header and body
};

std::string EncodeFrame(FrameType type, std::string_view body);
// Appends the frame without another copy of the parts.
void AppendRecordFrame(std::string& out, std::string_view leaf, std::string_view payload);
// What the frame header at the front of `bytes` announces, header included; kFrameHeader where it is none.
size_t AnnouncedSize(std::string_view bytes);
// The frame at the front of `bytes`. kTornTail says that the bytes end inside it.
enum class FrameState { kWhole, kTornTail, kBad };
struct ParsedFrame {
  FrameState state = FrameState::kBad;
  Frame frame;
  const char* why = "";
};
ParsedFrame ParseFrame(std::string_view bytes);

std::string EncodeSegmentHeader(const SegmentHeader& header);
Result<SegmentHeader> DecodeSegmentHeader(std::string_view body);
std::string EncodeBatch(const Batch& batch);
Result<Batch> DecodeBatch(std::string_view body);

// The exact bytes that the signatures cover.
std::string EndorsementText(std::string_view origin, uint32_t day, const PublicKey& writer);
std::string BatchText(const Batch& batch, const Id& origin);

Id OriginId(std::string_view origin);
// Lower-case letters, digits, '.', '-', '/', '_' and ':', 1 to 64 of them.
bool ValidOrigin(std::string_view origin);
std::string SegmentName(uint64_t number);  // "0000000000000000.seg"
std::optional<uint64_t> SegmentNumber(std::string_view name);

}  // namespace portcullis::audit
