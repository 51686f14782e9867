#include "audit/record.h"

#include <bit>

#include "audit/bytes.h"

namespace portcullis::audit {
namespace {

Error BadLeaf(const char* why) { return Error{Code::kTampered, std::string("leaf: ") + why}; }

constexpr uint16_t kFlagClear = 1;
constexpr uint16_t kFlagStream = 2;

}  // namespace

std::string EncodeLeaf(const Leaf& leaf) {
  std::string bytes;
  bytes.reserve(kLeafSize);
  ByteWriter out(bytes);
  out.Put(kRecordVersion);
  out.Put(static_cast<uint8_t>(leaf.kind));
  out.Put(static_cast<uint8_t>(leaf.clock));
  out.Put(leaf.parts);
  out.Put(leaf.epoch);
  out.PutBytes(leaf.origin);
  out.Put(leaf.seq);
  out.PutBytes(leaf.boot);
  out.Put(leaf.wall_us);
  out.Put(leaf.mono_us);
  out.PutBytes(leaf.request_id);
  out.Put(leaf.parent_seq);
  out.PutBytes(leaf.subject);
  out.PutBytes(leaf.tenant);
  out.PutBytes(leaf.policy_hash);
  out.PutBytes(leaf.model_hash);
  out.Put(leaf.outcome);
  out.Put(leaf.tag_count);
  out.Put(leaf.pad_class);
  for (const Tag& tag : leaf.tags) out.PutBytes(tag);
  out.Put(leaf.chain);
  out.Put(leaf.chain_index);
  out.Put(leaf.retention);
  out.Put(leaf.period);
  out.PutBytes(leaf.wrap_set_hash);
  out.PutBytes(leaf.key_commit);
  out.Put(leaf.payload_size);
  out.PutBytes(leaf.ct_hash);
  return bytes;
}

Result<Leaf> DecodeLeaf(std::string_view bytes) {
  if (bytes.size() != kLeafSize) return BadLeaf("wrong size");
  ByteReader in(bytes);
  Leaf leaf;
  if (in.Get<uint8_t>() != kRecordVersion) {
    return BadLeaf("another version of the format (this program reads version 3)");
  }
  const auto kind = KindFromNumber(in.Get<uint8_t>());
  if (!kind) return BadLeaf("unknown kind");
  leaf.kind = *kind;
  const uint8_t clock = in.Get<uint8_t>();
  if (clock > static_cast<uint8_t>(ClockState::kUnsynchronised)) return BadLeaf("unknown clock state");
  leaf.clock = static_cast<ClockState>(clock);
  leaf.parts = in.Get<uint8_t>();
  leaf.epoch = in.Get<uint32_t>();
  leaf.origin = in.GetArray<16>();
  leaf.seq = in.Get<uint64_t>();
  leaf.boot = in.GetArray<16>();
  leaf.wall_us = in.Get<uint64_t>();
  leaf.mono_us = in.Get<uint64_t>();
  leaf.request_id = in.GetArray<16>();
  leaf.parent_seq = in.Get<uint64_t>();
  leaf.subject = in.GetArray<16>();
  leaf.tenant = in.GetArray<16>();
  leaf.policy_hash = in.GetArray<32>();
  leaf.model_hash = in.GetArray<32>();
  leaf.outcome = in.Get<uint16_t>();
  leaf.tag_count = in.Get<uint8_t>();
  if (leaf.tag_count > leaf.tags.size()) return BadLeaf("more than 4 tags");
  leaf.pad_class = in.Get<uint8_t>();
  for (size_t i = 0; i < leaf.tags.size(); ++i) {
    leaf.tags[i] = in.GetArray<16>();
    if (i >= leaf.tag_count && leaf.tags[i] != Tag{}) return BadLeaf("a tag that is not counted");
  }
  leaf.chain = in.Get<uint64_t>();
  leaf.chain_index = in.Get<uint32_t>();
  leaf.retention = in.Get<uint16_t>();
  leaf.period = in.Get<uint16_t>();
  leaf.wrap_set_hash = in.GetArray<32>();
  leaf.key_commit = in.GetArray<32>();
  leaf.payload_size = in.Get<uint32_t>();
  leaf.ct_hash = in.GetArray<32>();
  return leaf;
}

uint16_t PeriodOf(uint64_t wall_us) {
  return static_cast<uint16_t>(wall_us / kDayUs / kPeriodDays);
}

std::string EncodePartTable(const std::vector<PartEntry>& entries) {
  std::string bytes;
  bytes.reserve(entries.size() * kPartEntrySize);
  ByteWriter out(bytes);
  for (const PartEntry& entry : entries) {
    out.Put(static_cast<uint8_t>(entry.type));
    out.Put(entry.pad_class);
    out.Put(entry.clear ? kFlagClear : entry.stream ? kFlagStream : uint16_t{0});
    out.Put(entry.size);
    out.PutBytes(entry.nonce);
    out.PutBytes(entry.stored_hash);
    out.PutBytes(entry.key_commit);
  }
  return bytes;
}

Result<std::vector<PartEntry>> DecodePartEntries(std::string_view table, size_t count) {
  const auto bad = [](const char* why) {
    return Error{Code::kTampered, std::string("part table: ") + why};
  };
  if (table.size() != count * kPartEntrySize) return bad("cut short");
  ByteReader in(table);
  std::vector<PartEntry> entries(count);
  for (PartEntry& entry : entries) {
    const auto type = PartFromNumber(in.Get<uint8_t>());
    if (!type) return bad("unknown type of part");
    entry.type = *type;
    entry.pad_class = in.Get<uint8_t>();
    const uint16_t flags = in.Get<uint16_t>();
    if (flags > kFlagStream) return bad("unknown flags");
    entry.clear = flags == kFlagClear;
    entry.stream = flags == kFlagStream;
    entry.size = in.Get<uint32_t>();
    entry.nonce = in.GetArray<24>();
    entry.stored_hash = in.GetArray<32>();
    entry.key_commit = in.GetArray<32>();
  }
  return entries;
}

Result<std::vector<PartEntry>> DecodePartTable(std::string_view payload, size_t count) {
  BOOST_OUTCOME_TRY(auto entries, DecodePartEntries(payload.substr(0, count * kPartEntrySize), count));
  size_t total = count * kPartEntrySize;
  for (const PartEntry& entry : entries) total += entry.size;
  if (total != payload.size()) {
    return Error{Code::kTampered, "part table: sizes do not add up to the payload"};
  }
  return entries;
}

Padding PaddedSize(size_t size) {
  constexpr size_t kMinimum = 64;
  if (size <= kMinimum) return {kMinimum, 6};
  const unsigned exponent = static_cast<unsigned>(std::bit_width(size)) - 1;
  const unsigned mantissa_bits = static_cast<unsigned>(std::bit_width(exponent));
  const size_t mask = (size_t{1} << (exponent - mantissa_bits)) - 1;
  const size_t padded = (size + mask) & ~mask;
  return {padded, static_cast<uint8_t>(std::bit_width(padded) - 1)};
}

}  // namespace portcullis::audit
