#include "audit/segment_parse.h"

#include <algorithm>
#include <optional>

#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/seal.h"
#include "audit/segment_input.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxHeaderFrame = 512;

Error Bad(const char* what, const std::string& why) {
  return Error{Code::kTampered, std::string(what) + ": " + why};
}

Result<HeaderAndHash> CheckHeader(std::string_view body, const VerifierKey& log_key) {
  BOOST_OUTCOME_TRY(SegmentHeader header, DecodeSegmentHeader(body));
  if (header.origin != log_key.name) return Bad("segment header", "it belongs to a log of another origin");
  if (!VerifyEd25519(EndorsementText(header.origin, header.day, header.writer), header.endorsement,
                     log_key.key)) {
    return Bad("segment header", "the key of its day is not endorsed by the log key");
  }
  return HeaderAndHash{std::move(header), Sha256(body)};
}

class Parser {
 public:
  Parser(ParsedSegment& out, SegmentInput& input, const VerifierKey& log_key, PublicKey writer, KeepPayloads keep)
      : out_(out), input_(input), log_key_(log_key), origin_(OriginId(log_key.name)), writer_(writer), keep_(keep) {}

  void Run() {
    const Result<void> read = ReadFrames();
    if (read) return CheckSignatures();
    out_.records.clear();  // nobody vouches for what came before the error
    out_.batches.clear();
    StopAt(ParsedSegment::Stop::kUnreadable, input_.at(), read.error());
  }

 private:
  // Fails when the file cannot be read; what is wrong with the frames is told in `out_`.
  Result<void> ReadFrames() {
    while (!input_.finished() || (out_.base == 0 && !out_.has_header)) {
      BOOST_OUTCOME_TRY(const std::string_view bytes, input_.Front());
      const uint64_t at = input_.at();
      const ParsedFrame parsed = ParseFrame(bytes);
      if (parsed.state != FrameState::kWhole) return StopAtFrame(at, parsed.why);
      const bool header_place = at == 0;
      if (header_place != (parsed.frame.type == FrameType::kSegment)) {
        return StopAtFrame(at, "a segment header must be its first frame, and only that");
      }
      const uint64_t end = at + parsed.frame.size;
      Result<void> taken = Ok();
      switch (parsed.frame.type) {
        case FrameType::kSegment: taken = TakeHeader(parsed.frame.body, end); break;
        case FrameType::kRecord:
        case FrameType::kErased:
        case FrameType::kShredded: taken = TakeRecord(parsed.frame, at); break;
        case FrameType::kBatch: taken = TakeBatch(parsed.frame.body, end); break;
      }
      if (!taken) {
        out_.stop_in_record = parsed.frame.type != FrameType::kSegment && parsed.frame.type != FrameType::kBatch;
        StopAt(ParsedSegment::Stop::kContent, at, taken.error());
        return Ok();
      }
      input_.Skip(parsed.frame.size);
    }
    return Ok();
  }

  // These bytes are no frame here.
  Result<void> StopAtFrame(uint64_t at, const char* why) {
    BOOST_OUTCOME_TRY(const std::string rest, input_.Rest());
    out_.signed_tail = HoldsSignedBatch(rest);
    StopAt(ParsedSegment::Stop::kFrame, at, {Code::kTampered, why});
    return Ok();
  }

  // From the last batch to the first: the signature of a good batch covers the hash of the one before
  // it, which needs no look then. Most of a log of small batches is verified by one signature a segment.
  void CheckSignatures() {
    std::optional<size_t> first_bad;
    bool next_is_good = false;
    for (size_t i = out_.batches.size(); i-- > 0;) {
      const ParsedBatch& batch = out_.batches[i];
      const bool vouched_for = next_is_good && out_.batches[i + 1].batch.previous_batch == batch.hash;
      next_is_good = vouched_for || VerifyEd25519(BatchText(batch.batch, origin_), batch.batch.signature, writer_);
      if (!next_is_good) first_bad = i;
    }
    if (!first_bad) return;
    const ParsedBatch bad = out_.batches[*first_bad];
    out_.batches.resize(*first_bad);
    out_.records.resize(bad.records);
    out_.stop_in_record = false;
    StopAt(ParsedSegment::Stop::kContent, bad.end - kBatchFrame,
           Bad("batch frame", "the signature of the day's key is wrong"));
  }

  void StopAt(ParsedSegment::Stop stop, uint64_t at, Error why) {
    out_.stop = stop;
    out_.stop_at = at;
    out_.why = std::move(why);
  }

  Result<void> TakeHeader(std::string_view body, uint64_t end) {
    BOOST_OUTCOME_TRY(HeaderAndHash header, CheckHeader(body, log_key_));
    out_.has_header = true;
    out_.header = std::move(header.header);
    out_.header_hash = header.hash;
    out_.header_end = end;
    writer_ = out_.header.writer;
    return Ok();
  }

  Result<void> TakeRecord(const Frame& frame, uint64_t at) {
    const std::string_view body = frame.body;
    if (body.size() < kLeafSize) return Bad("record frame", "shorter than a leaf");
    const std::string_view bytes = body.substr(0, kLeafSize), payload = body.substr(kLeafSize);
    BOOST_OUTCOME_TRY(const Leaf leaf, DecodeLeaf(bytes));
    if (leaf.origin != origin_) return Bad("record frame", "the record belongs to another log");
    ParsedRecord record;
    record.erased = frame.type == FrameType::kErased;
    if (record.erased) {
      if (!payload.empty() || leaf.parts == 0) return Bad("erased frame", "malformed");
    } else {
      const bool shredded = frame.type == FrameType::kShredded;
      BOOST_OUTCOME_TRY(const auto entries, CheckPayload(leaf, payload, shredded ? Zeros::kShredded : Zeros::kRefused));
      for (const PartEntry& entry : entries) {
        if (entry.shredded) record.shredded = static_cast<uint16_t>(record.shredded | PartBit(entry.type));
      }
      if (shredded && record.shredded == 0) return Bad("shredded frame", "no part of it is shredded");
    }
    record.hash = LeafHash(bytes);
    record.seq = leaf.seq;
    record.wall_us = leaf.wall_us;
    record.frame_at = at;
    record.kept_at = out_.kept.size();
    record.payload_size = keep_ == KeepPayloads::kAll || leaf.kind == Kind::kKey ? payload.size() : 0;
    out_.kept.append(body.substr(0, kLeafSize + record.payload_size));
    out_.records.push_back(record);
    return Ok();
  }

  Result<void> TakeBatch(std::string_view body, uint64_t end) {
    ParsedBatch batch;
    BOOST_OUTCOME_TRY(batch.batch, DecodeBatch(body));
    batch.hash = Sha256(body);
    batch.records = out_.records.size();
    batch.end = end;
    out_.batches.push_back(batch);
    return Ok();
  }

  // Looks for any frame in the bytes that the writer signed for this or a later batch.
  bool HoldsSignedBatch(std::string_view bytes) const {
    static constexpr std::string_view kMagic = "PCLF";
    for (size_t at = bytes.find(kMagic); at != std::string_view::npos; at = bytes.find(kMagic, at + 1)) {
      // A batch frame has one size: whatever announces another is not looked through.
      const ParsedFrame parsed = ParseFrame(bytes.substr(at, kBatchFrame));
      if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kBatch) continue;
      const auto batch = DecodeBatch(parsed.frame.body);
      if (batch && VerifyEd25519(BatchText(batch.value(), origin_), batch.value().signature, writer_)) {
        return true;
      }
    }
    return false;
  }

  ParsedSegment& out_;
  SegmentInput& input_;
  const VerifierKey& log_key_;
  const Id origin_;
  PublicKey writer_;
  const KeepPayloads keep_;
};

}  // namespace

ParsedSegment ParseSegmentFile(const std::filesystem::path& path, const VerifierKey& log_key, const ParseFrom& from,
                               KeepPayloads keep, ParsedSegment reused) {
  ParsedSegment out;
  out.base = from.offset;
  out.kept = std::move(reused.kept);
  out.records = std::move(reused.records);
  out.batches = std::move(reused.batches);
  out.kept.clear();
  out.records.clear();
  out.batches.clear();
  auto input = SegmentInput::Open(path, from.offset);
  if (!input) {
    out.stop = ParsedSegment::Stop::kUnreadable;
    out.why = input.error();
    return out;
  }
  if (keep == KeepPayloads::kAll) out.kept.reserve(static_cast<size_t>(input.value().size() - input.value().at()));
  Parser(out, input.value(), log_key, from.writer, keep).Run();
  out.file_end = std::max(input.value().size(), from.offset);
  return out;
}

Result<HeaderAndHash> ReadSegmentHeader(const std::filesystem::path& path, const VerifierKey& log_key) {
  BOOST_OUTCOME_TRY(const std::string content, ReadFileRange(path, 0, kMaxHeaderFrame));
  const ParsedFrame parsed = ParseFrame(content);
  if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kSegment) {
    return Bad("segment header", "`" + path.string() + "` does not begin with one");
  }
  return CheckHeader(parsed.frame.body, log_key);
}

}  // namespace portcullis::audit
