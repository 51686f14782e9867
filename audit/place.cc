#include "audit/place.h"

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/merkle.h"
#include "audit/segment_parse.h"
#include "audit/signer.h"
#include "audit/tiles.h"

namespace portcullis::audit {
namespace {

Error NotTheTree(const std::string& why) {
  return Error{Code::kBadFormat, "the cached tiles do not show the tree of the checkpoint (auditd rebuilds them): " + why};
}

}  // namespace

Result<Checkpoint> SignedHead(const std::filesystem::path& log_folder, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(const std::string note, ReadFile(LogLayout(log_folder).checkpoint(), kMaxNote));
  return OpenCheckpoint(note, key);
}

Result<SegmentPlace> PlaceOfSegment(const std::filesystem::path& log_folder, const VerifierKey& key, uint64_t number) {
  const auto path = LogLayout(log_folder).segments() / SegmentName(number);
  BOOST_OUTCOME_TRY(const HeaderAndHash read, ReadSegmentHeader(path, key));
  const SegmentHeader& header = read.header;
  if (header.number != number) {
    return Error{Code::kTampered, "`" + path.string() + "`: the number in its header is not that of the file"};
  }
  return SegmentPlace{number, header.first_seq, header.day, header.previous_batch, header.writer, read.hash,
                      kFrameHeader + EncodeSegmentHeader(header).size()};
}

Result<std::optional<SegmentEnd>> EndOfSegment(const std::filesystem::path& log_folder, const VerifierKey& key,
                                               const SegmentPlace& place) {
  const auto path = LogLayout(log_folder).segments() / SegmentName(place.number);
  const Error bad{Code::kTampered, "`" + path.string() + "`: it does not end with a batch that was signed for its header"};
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) return Error{Code::kIo, "cannot examine `" + path.string() + "`: " + error.message()};
  if (size == place.header_end) return std::optional<SegmentEnd>();
  if (size < place.header_end + kBatchFrame) return bad;
  BOOST_OUTCOME_TRY(const std::string frame, ReadFileRange(path, size - kBatchFrame, kBatchFrame));
  const ParsedFrame parsed = ParseFrame(frame);
  if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kBatch) return bad;
  BOOST_OUTCOME_TRY(const Batch batch, DecodeBatch(parsed.frame.body));
  if (batch.segment_hash != place.hash ||
      !VerifyEd25519(BatchText(batch, OriginId(key.name)), batch.signature, place.writer)) {
    return bad;
  }
  return std::optional(SegmentEnd{batch.tree_size, Sha256(parsed.frame.body)});
}

Result<ScanStart> StartOfSegment(const std::filesystem::path& log_folder, const Checkpoint& head,
                                 const SegmentPlace& place) {
  const uint64_t size = place.first_seq;
  if (size > head.size) return Error{Code::kNotFound, "the segment begins after the signed checkpoint"};
  ScanStart start;
  start.segment = place.number;
  start.last_batch = place.previous_batch;
  if (size == 0) return start;
  const TileReader tiles(LogLayout(log_folder).tiles(), head.size);
  const auto node = [&tiles](unsigned level, uint64_t index) { return tiles.Node(level, index); };
  std::vector<Hash> nodes;
  uint64_t taken = 0;
  for (unsigned level = 64; level-- > 0;) {
    if ((size >> level & 1) == 0) continue;
    BOOST_OUTCOME_TRY(const Hash hash, node(level, taken >> level));
    nodes.push_back(hash);
    taken += uint64_t{1} << level;
  }
  BOOST_OUTCOME_TRY(start.tree, CompactRange::Restore(size, std::move(nodes)));
  if (size == head.size) {
    if (start.tree.Root() != head.root) return NotTheTree("another root");
    return start;
  }
  BOOST_OUTCOME_TRY(const auto proof, ConsistencyProof(size, head.size, node));
  if (auto fits = VerifyConsistency(size, head.size, proof, start.tree.Root(), head.root); !fits) {
    return NotTheTree(fits.error().message);
  }
  return start;
}

Result<ScanStart> StartFromEnd(const std::filesystem::path& log_folder, const VerifierKey& key, const Checkpoint& head,
                               uint64_t records) {
  BOOST_OUTCOME_TRY(const std::vector<uint64_t> numbers, ListSegments(log_folder));
  for (size_t i = numbers.size(); i-- > 0;) {
    BOOST_OUTCOME_TRY(const SegmentPlace place, PlaceOfSegment(log_folder, key, numbers[i]));
    if (place.number > 0 && (place.first_seq > head.size || head.size - place.first_seq < records)) continue;
    return StartOfSegment(log_folder, head, place);
  }
  return ScanStart();
}

}  // namespace portcullis::audit
