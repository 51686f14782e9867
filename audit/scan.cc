// A scan is a loop over segments, in each a loop over frames. Records are held back until their BATCH
// frame comes; then count, tree size, root, links and signature are compared at once and the records
// are handed on. What follows the last good batch of the last segment is the tail: "torn" when no
// signed batch frame hides in it (a crash in the middle of a write), otherwise damage.

#include "audit/scan.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/seal.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

struct Pending {
  Leaf leaf;
  Hash hash;
  std::string_view payload;
};

class Scanner {
 public:
  Scanner(std::filesystem::path folder, const VerifierKey& key, const ScanOptions& options,
          ScanVisitor* visitor)
      : folder_(std::move(folder)), key_(key), options_(options), visitor_(visitor),
        origin_(OriginId(key.name)) {}

  ScanResult Run() {
    NoteRoot(CompactRange());
    auto listed = ListSegments(folder_);
    if (!listed) {
      Fail(listed.error().code, 0, listed.error().message);
      return std::move(result_);
    }
    const std::vector<uint64_t>& numbers = listed.value();
    for (size_t i = 0; i < numbers.size() && !result_.fault; ++i) {
      if (numbers[i] != i) {
        Fail(Code::kTampered, Expected(), "segment " + SegmentName(i) + " is missing");
        break;
      }
      ScanSegment(numbers[i], i + 1 == numbers.size());
    }
    return std::move(result_);
  }

 private:
  uint64_t Expected() const { return result_.tree.size(); }

  void Fail(Code code, uint64_t seq, std::string message) {
    result_.fault = Fault{code, seq, std::move(message)};
  }

  void NoteRoot(const CompactRange& tree) {
    if (std::find(options_.root_sizes.begin(), options_.root_sizes.end(), tree.size()) !=
        options_.root_sizes.end()) {
      noted_[tree.size()] = tree.Root();
      if (tree.size() == 0) result_.roots[0] = noted_[0];
    }
  }

  void ScanSegment(uint64_t number, bool last) {
    const std::filesystem::path path = folder_ / "segments" / SegmentName(number);
    result_.last_segment = number;
    ++result_.segments;
    result_.good_bytes = 0;
    constexpr int kTries = 100;
    for (int attempt = 0;; ++attempt) {
      auto content = ReadFile(path, kMaxSegmentFile);
      if (!content) {
        Fail(content.error().code, Expected(), content.error().message);
        return;
      }
      result_.fault.reset();
      result_.torn = false;
      Walk(content.value(), number, last);
      result_.tail_bytes = content.value().size() - result_.good_bytes;
      // A writer at work may be in the middle of this group commit.
      if (!result_.fault || !last || !options_.live || attempt == kTries) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  // Goes on from good_bytes.
  void Walk(std::string_view content, uint64_t number, bool last) {
    pending_.clear();
    if (result_.good_bytes > content.size()) {
      return Fail(Code::kTampered, Expected(), "segment " + SegmentName(number) + " shrank");
    }
    std::string_view rest = content.substr(result_.good_bytes);
    while (!rest.empty() || result_.good_bytes == 0) {
      const ParsedFrame parsed = ParseFrame(rest);
      const uint64_t seq = Expected() + pending_.size();
      if (parsed.state != FrameState::kWhole) {
        return FailTail(rest, last, seq, Where(number, content, rest) + parsed.why);
      }
      const bool header_place = rest.data() == content.data();
      if (header_place != (parsed.frame.type == FrameType::kSegment)) {
        return FailTail(rest, last, seq,
                        Where(number, content, rest) + "a segment header must be its first frame, and only that");
      }
      Result<void> done = Ok();
      if (parsed.frame.type == FrameType::kSegment) done = TakeHeader(parsed.frame.body, number);
      if (parsed.frame.type == FrameType::kRecord) done = TakeRecord(parsed.frame.body, seq);
      if (parsed.frame.type == FrameType::kBatch) done = TakeBatch(parsed.frame.body);
      if (!done) {
        const uint64_t bad = parsed.frame.type == FrameType::kRecord ? seq : Expected();
        return Fail(Code::kTampered, bad, Where(number, content, rest) + done.error().message);
      }
      rest.remove_prefix(parsed.frame.size);
      if (parsed.frame.type != FrameType::kRecord) result_.good_bytes = content.size() - rest.size();
    }
    if (!pending_.empty()) {
      FailTail(rest, last, Expected(), "segment " + SegmentName(number) +
                                           ": the last records have no batch frame");
    }
  }

  static std::string Where(uint64_t number, std::string_view content, std::string_view rest) {
    return "segment " + SegmentName(number) + ", byte " + std::to_string(content.size() - rest.size()) +
           ": ";
  }

  // Decides whether the tail is torn or damaged.
  void FailTail(std::string_view rest, bool last, uint64_t seq, std::string message) {
    result_.torn = last && !HoldsSignedBatch(rest);
    Fail(Code::kTampered, seq, std::move(message));
  }

  // Looks for any frame in the bytes that the writer signed for this or a later batch.
  bool HoldsSignedBatch(std::string_view bytes) const {
    static constexpr std::string_view kMagic = "PCLF";
    for (size_t at = bytes.find(kMagic); at != std::string_view::npos; at = bytes.find(kMagic, at + 1)) {
      const ParsedFrame parsed = ParseFrame(bytes.substr(at));
      if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kBatch) continue;
      const auto batch = DecodeBatch(parsed.frame.body);
      if (batch && VerifyEd25519(BatchText(batch.value(), origin_), batch.value().signature, writer_)) {
        return true;
      }
    }
    return false;
  }

  Result<void> TakeHeader(std::string_view body, uint64_t number) {
    const auto bad = [](const char* why) {
      return Error{Code::kTampered, std::string("segment header: ") + why};
    };
    BOOST_OUTCOME_TRY(const SegmentHeader header, DecodeSegmentHeader(body));
    if (header.origin != key_.name) return bad("it belongs to a log of another origin");
    if (header.number != number) return bad("its number is not that of its file");
    if (header.first_seq != Expected()) return bad("records before this segment are missing or too many");
    if (header.previous_batch != result_.last_batch) return bad("it does not follow the batch before it");
    if (!VerifyEd25519(EndorsementText(header.origin, header.writer), header.endorsement, key_.key)) {
      return bad("the writer's key is not endorsed by the log key");
    }
    writer_ = header.writer;
    segment_hash_ = Sha256(body);
    return Ok();
  }

  Result<void> TakeRecord(std::string_view body, uint64_t seq) {
    if (body.size() < kLeafSize) return Error{Code::kTampered, "record frame: shorter than a leaf"};
    const std::string_view leaf_bytes = body.substr(0, kLeafSize);
    BOOST_OUTCOME_TRY(Leaf leaf, DecodeLeaf(leaf_bytes));
    if (leaf.seq != seq) {
      return Error{Code::kTampered, "record " + std::to_string(leaf.seq) + " stands where record " +
                                        std::to_string(seq) + " belongs"};
    }
    if (leaf.origin != origin_) return Error{Code::kTampered, "the record belongs to another log"};
    const std::string_view payload = body.substr(kLeafSize);
    BOOST_OUTCOME_TRY(CheckPayload(leaf, payload));
    pending_.push_back(Pending{leaf, LeafHash(leaf_bytes), payload});
    return Ok();
  }

  Result<void> TakeBatch(std::string_view body) {
    const auto bad = [](const char* why) {
      return Error{Code::kTampered, std::string("batch frame: ") + why};
    };
    BOOST_OUTCOME_TRY(const Batch batch, DecodeBatch(body));
    CompactRange next = result_.tree;
    for (const Pending& record : pending_) {
      next.Append(record.hash);
      NoteRoot(next);
    }
    if (pending_.empty()) return bad("it closes no record");
    if (batch.first_seq != Expected() || batch.count != pending_.size() ||
        batch.tree_size != next.size()) {
      return bad("count or sequence does not fit its records");
    }
    if (batch.previous_batch != result_.last_batch) return bad("it does not follow the batch before it");
    if (batch.segment_hash != segment_hash_) return bad("it belongs to another segment");
    if (batch.root != next.Root()) return bad("the root does not fit the leaves: one of them was changed");
    if (!VerifyEd25519(BatchText(batch, origin_), batch.signature, writer_)) {
      return bad("the writer's signature is wrong");
    }
    result_.tree = std::move(next);
    result_.last_batch = Sha256(body);
    ++result_.batches;
    for (const auto& [size, root] : noted_) result_.roots[size] = root;
    if (visitor_ != nullptr) {
      for (const Pending& record : pending_) {
        visitor_->OnRecord(ScannedRecord{record.leaf, record.hash, record.payload});
      }
    }
    pending_.clear();
    return Ok();
  }

  const std::filesystem::path folder_;
  const VerifierKey& key_;
  const ScanOptions& options_;
  ScanVisitor* const visitor_;
  const Id origin_;
  ScanResult result_;
  std::map<uint64_t, Hash> noted_;
  std::vector<Pending> pending_;
  PublicKey writer_{};
  Hash segment_hash_{};
};

}  // namespace

ScanResult ScanLog(const std::filesystem::path& log_folder, const VerifierKey& key,
                   const ScanOptions& options, ScanVisitor* visitor) {
  return Scanner(log_folder, key, options, visitor).Run();
}

Result<std::vector<uint64_t>> ListSegments(const std::filesystem::path& log_folder) {
  std::vector<uint64_t> numbers;
  std::error_code error;
  const std::filesystem::path folder = log_folder / "segments";
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const auto number = SegmentNumber(entry->path().filename().string())) numbers.push_back(*number);
  }
  if (error) return ErrnoError("cannot list", folder, error.value());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace portcullis::audit
