#include "audit/segment_parse.h"

#include <algorithm>
#include <optional>

#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/seal.h"
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
  Parser(ParsedSegment& out, const VerifierKey& log_key, PublicKey writer)
      : out_(out), log_key_(log_key), origin_(OriginId(log_key.name)), writer_(writer) {}

  void Run() {
    ReadFrames();
    CheckSignatures();
  }

 private:
  void ReadFrames() {
    std::string_view rest = out_.content;
    out_.records.reserve(rest.size() / 4096);
    while (!rest.empty() || (out_.base == 0 && !out_.has_header)) {
      const uint64_t at = out_.base + out_.content.size() - rest.size();
      const ParsedFrame parsed = ParseFrame(rest);
      if (parsed.state != FrameState::kWhole) return StopAt(ParsedSegment::Stop::kFrame, at, {Code::kTampered, parsed.why}, rest);
      const bool header_place = at == 0;
      if (header_place != (parsed.frame.type == FrameType::kSegment)) {
        return StopAt(ParsedSegment::Stop::kFrame, at,
                      {Code::kTampered, "a segment header must be its first frame, and only that"}, rest);
      }
      const uint64_t end = at + parsed.frame.size;
      Result<void> taken = Ok();
      switch (parsed.frame.type) {
        case FrameType::kSegment: taken = TakeHeader(parsed.frame.body, end); break;
        case FrameType::kRecord:
        case FrameType::kErased:
        case FrameType::kShredded: taken = TakeRecord(parsed.frame); break;
        case FrameType::kBatch: taken = TakeBatch(parsed.frame.body, end); break;
      }
      if (!taken) {
        out_.stop_in_record = parsed.frame.type != FrameType::kSegment && parsed.frame.type != FrameType::kBatch;
        return StopAt(ParsedSegment::Stop::kContent, at, taken.error(), rest);
      }
      rest.remove_prefix(parsed.frame.size);
    }
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
           Bad("batch frame", "the signature of the day's key is wrong"), {});
  }

  void StopAt(ParsedSegment::Stop stop, uint64_t at, Error why, std::string_view rest) {
    out_.stop = stop;
    out_.stop_at = at;
    out_.why = std::move(why);
    out_.signed_tail = stop == ParsedSegment::Stop::kFrame && HoldsSignedBatch(rest);
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

  Result<void> TakeRecord(const Frame& frame) {
    const std::string_view body = frame.body;
    if (body.size() < kLeafSize) return Bad("record frame", "shorter than a leaf");
    ParsedRecord record;
    record.bytes = body.substr(0, kLeafSize);
    BOOST_OUTCOME_TRY(record.leaf, DecodeLeaf(record.bytes));
    if (record.leaf.origin != origin_) return Bad("record frame", "the record belongs to another log");
    record.payload = body.substr(kLeafSize);
    record.erased = frame.type == FrameType::kErased;
    if (record.erased) {
      if (!record.payload.empty() || record.leaf.parts == 0) return Bad("erased frame", "malformed");
    } else {
      const bool shredded = frame.type == FrameType::kShredded;
      BOOST_OUTCOME_TRY(const auto entries,
                        CheckPayload(record.leaf, record.payload, shredded ? Zeros::kShredded : Zeros::kRefused));
      for (const PartEntry& entry : entries) {
        if (entry.shredded) record.shredded = static_cast<uint16_t>(record.shredded | PartBit(entry.type));
      }
      if (shredded && record.shredded == 0) return Bad("shredded frame", "no part of it is shredded");
    }
    record.hash = LeafHash(record.bytes);
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
  const VerifierKey& log_key_;
  const Id origin_;
  PublicKey writer_;
};

}  // namespace

ParsedSegment ParseSegmentFile(const std::filesystem::path& path, const VerifierKey& log_key,
                               const ParseFrom& from, std::string reused) {
  ParsedSegment out;
  out.base = from.offset;
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  Result<std::string> content = std::string();
  if (error) {
    content = ErrnoError("cannot read", path, error.value());
  } else if (size > kMaxSegmentFile) {
    content = Error{Code::kBadFormat, "`" + path.string() + "` is larger than 256 MiB"};
  } else {
    content = ReadFileRange(path, from.offset, static_cast<size_t>(size - std::min(size, from.offset)), std::move(reused));
  }
  if (!content) {
    out.stop = ParsedSegment::Stop::kUnreadable;
    out.why = content.error();
    return out;
  }
  out.content = std::move(content.value());
  Parser(out, log_key, from.writer).Run();
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
