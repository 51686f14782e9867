#include "audit/segment.h"

#include <algorithm>
#include <cstring>

#include "audit/bytes.h"
#include "audit/crc32c.h"
#include "audit/merkle.h"

namespace portcullis::audit {
namespace {

constexpr uint32_t kMagic = 0x50434C46;  // "PCLF"
constexpr uint8_t kSegmentVersion = 3;
constexpr size_t kBatchBody = 8 + 4 + 8 + 32 + 32 + 32 + 64;
constexpr size_t kMaxOrigin = 64;

Error Bad(const char* what, const char* why) {
  return Error{Code::kTampered, std::string(what) + ": " + why};
}

// Fills the 16 bytes that were left free at `start`: magic u32, body length u32, crc32c u32 over
// everything after it, type u8, three zeros.
void FinishFrame(std::string& out, size_t start, FrameType type) {
  uint8_t* at = reinterpret_cast<uint8_t*>(out.data() + start);
  StoreBigEndian(kMagic, at);
  StoreBigEndian(static_cast<uint32_t>(out.size() - start - kFrameHeader), at + 4);
  at[12] = static_cast<uint8_t>(type);
  at[13] = at[14] = at[15] = 0;
  StoreBigEndian(Crc32c(std::string_view(out).substr(start + 12)), at + 8);
}

}  // namespace

std::string EncodeFrame(FrameType type, std::string_view body) {
  std::string out(kFrameHeader, '\0');
  out.append(body);
  FinishFrame(out, 0, type);
  return out;
}

void AppendRecordFrame(std::string& out, std::string_view leaf, std::string_view payload) {
  const size_t start = out.size();
  out.append(kFrameHeader, '\0');
  out.append(leaf);
  out.append(payload);
  FinishFrame(out, start, FrameType::kRecord);
}

size_t AnnouncedSize(std::string_view bytes) {
  ByteReader in(bytes.substr(0, kFrameHeader));
  const bool begins = in.Get<uint32_t>() == kMagic;
  const size_t length = in.Get<uint32_t>();
  return begins && length <= kMaxFrameBody ? kFrameHeader + length : kFrameHeader;
}

ParsedFrame ParseFrame(std::string_view bytes) {
  const auto bad = [](const char* why) { return ParsedFrame{FrameState::kBad, {}, why}; };
  const auto torn = [](const char* why) { return ParsedFrame{FrameState::kTornTail, {}, why}; };
  ByteReader in(bytes.substr(0, kFrameHeader));
  if (bytes.size() < kFrameHeader) {
    std::array<uint8_t, 4> magic;
    StoreBigEndian(kMagic, magic.data());
    const size_t known = std::min<size_t>(bytes.size(), 4);
    if (std::memcmp(bytes.data(), magic.data(), known) != 0) return bad("wrong magic");
    return torn("the file ends inside a frame header");
  }
  if (in.Get<uint32_t>() != kMagic) return bad("wrong magic");
  const size_t length = in.Get<uint32_t>();
  const uint32_t crc = in.Get<uint32_t>();
  const uint8_t type = in.Get<uint8_t>();
  if (length > kMaxFrameBody) return bad("length out of bounds");
  if (type < 1 || type > 5) return bad("unknown type of frame");
  if (in.Get<uint8_t>() != 0 || in.Get<uint16_t>() != 0) return bad("reserved bytes are set");
  if (bytes.size() - kFrameHeader < length) return torn("the file ends inside a frame");
  if (Crc32c(bytes.substr(12, 4 + length)) != crc) return bad("crc32c does not match");
  return ParsedFrame{FrameState::kWhole,
                     Frame{static_cast<FrameType>(type), bytes.substr(kFrameHeader, length),
                           kFrameHeader + length},
                     ""};
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string body;
  ByteWriter out(body);
  out.Put(kSegmentVersion);
  out.Put(header.number);
  out.Put(header.first_seq);
  out.PutBytes(header.previous_batch);
  out.Put(header.day);
  out.PutBytes(header.writer);
  out.PutBytes(header.endorsement);
  out.PutSized<uint8_t>(header.origin);
  return body;
}

Result<SegmentHeader> DecodeSegmentHeader(std::string_view body) {
  ByteReader in(body);
  SegmentHeader header;
  if (in.Get<uint8_t>() != kSegmentVersion) {
    return Bad("segment header", "another version of the format (this program reads version 3)");
  }
  header.number = in.Get<uint64_t>();
  header.first_seq = in.Get<uint64_t>();
  header.previous_batch = in.GetArray<32>();
  header.day = in.Get<uint32_t>();
  header.writer = in.GetArray<32>();
  header.endorsement = in.GetArray<64>();
  header.origin = in.GetSized<uint8_t>(kMaxOrigin);
  if (!in.Finished()) return Bad("segment header", "wrong size");
  if (!ValidOrigin(header.origin)) return Bad("segment header", "origin has a character outside its set");
  return header;
}

std::string EncodeBatch(const Batch& batch) {
  std::string body;
  body.reserve(kBatchBody);
  ByteWriter out(body);
  out.Put(batch.first_seq);
  out.Put(batch.count);
  out.Put(batch.tree_size);
  out.PutBytes(batch.root);
  out.PutBytes(batch.previous_batch);
  out.PutBytes(batch.segment_hash);
  out.PutBytes(batch.signature);
  return body;
}

Result<Batch> DecodeBatch(std::string_view body) {
  if (body.size() != kBatchBody) return Bad("batch frame", "wrong size");
  ByteReader in(body);
  Batch batch;
  batch.first_seq = in.Get<uint64_t>();
  batch.count = in.Get<uint32_t>();
  batch.tree_size = in.Get<uint64_t>();
  batch.root = in.GetArray<32>();
  batch.previous_batch = in.GetArray<32>();
  batch.segment_hash = in.GetArray<32>();
  batch.signature = in.GetArray<64>();
  return batch;
}

std::string EndorsementText(std::string_view origin, uint32_t day, const PublicKey& writer) {
  std::string text = "portcullis audit day key v2\n";
  text.append(origin);
  text.push_back('\n');
  ByteWriter(text).Put(day);
  text.append(AsText(writer));
  return text;
}

std::string BatchText(const Batch& batch, const Id& origin) {
  std::string text = "portcullis audit batch v2\n";
  text.append(AsText(origin));
  std::string body = EncodeBatch(batch);
  body.resize(body.size() - sizeof(Signature));
  text.append(body);
  return text;
}

Id OriginId(std::string_view origin) {
  const Hash hash = Sha256(origin);
  Id id;
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

bool ValidOrigin(std::string_view origin) {
  if (origin.empty() || origin.size() > kMaxOrigin) return false;
  return std::all_of(origin.begin(), origin.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '/' ||
           c == '_' || c == ':';
  });
}

std::string SegmentName(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(16 - std::min<size_t>(16, digits.size()), '0') + digits + ".seg";
}

std::optional<uint64_t> SegmentNumber(std::string_view name) {
  if (name.size() != 20 || !name.ends_with(".seg")) return std::nullopt;
  uint64_t number = 0;
  for (const char c : name.substr(0, 16)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

}  // namespace portcullis::audit
