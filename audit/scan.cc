// A scan is a loop over parsed segments. In each, batch after batch: count, tree size, root and links are
// compared at once and the records are handed on. What follows the last good batch of the last segment
// is the tail: "torn" when no signed batch frame hides in it (a crash in the middle of a write),
// otherwise damage. While this thread joins one segment, others parse the next ones.

#include "audit/scan.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <thread>
#include <utility>

#include "audit/daykey.h"
#include "audit/file.h"
#include "audit/segment_parse.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kDaySlackUs = 3'600'000'000;  // between reading the clock and beginning a segment

class Scanner {
 public:
  Scanner(std::filesystem::path folder, const VerifierKey& key, const ScanOptions& options,
          ScanVisitor* visitor)
      : folder_(std::move(folder)), key_(key), options_(options), visitor_(visitor) {}

  ScanResult Run() {
    NoteRoot(CompactRange());
    result_.roots = noted_;
    auto listed = ListSegments(folder_);
    if (!listed) {
      Fail(listed.error().code, 0, listed.error().message);
      return std::move(result_);
    }
    const std::vector<uint64_t>& numbers = listed.value();
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != i) {
        Fail(Code::kTampered, 0, "segment " + SegmentName(i) + " is missing");
        missing_from_ = i;
        break;
      }
    }
    const uint64_t count = missing_from_.value_or(numbers.size());
    result_.segments = count;
    const std::optional<Fault> missing = std::exchange(result_.fault, std::nullopt);
    uint64_t first = 0;
    if (options_.start) {
      if (auto begun = Begin(*options_.start, count); !begun) {
        Fail(begun.error().code, Expected(), begun.error().message);
        return std::move(result_);
      }
      first = options_.start->segment;
    }
    last_ = count - 1;
    JoinAll(first, std::min(count, options_.end_segment.value_or(count)));
    if (missing && !result_.fault) Fail(missing->code, Expected(), missing->message);
    return std::move(result_);
  }

 private:
  uint64_t Expected() const { return result_.tree.size(); }
  std::filesystem::path Path(uint64_t number) const { return Within(folder_) / "segments" / SegmentName(number); }

  void Fail(Code code, uint64_t seq, std::string message) {
    result_.fault = Fault{code, seq, std::move(message)};
  }

  void NoteRoot(const CompactRange& tree) {
    if (std::find(options_.root_sizes.begin(), options_.root_sizes.end(), tree.size()) !=
        options_.root_sizes.end()) {
      noted_[tree.size()] = tree.Root();
    }
  }

  // The batch that ends where the start is said to be must be the one that is known.
  Result<void> Begin(const ScanStart& start, uint64_t count) {
    if (start.segment >= count) return Error{Code::kRolledBack, "the segment of the signed head is missing"};
    if (start.offset == 0) {
      result_.tree = start.tree;
      result_.last_batch = start.last_batch;
      NoteRoot(result_.tree);
      result_.roots.insert(noted_.begin(), noted_.end());
      return Ok();
    }
    BOOST_OUTCOME_TRY(const HeaderAndHash header, ReadSegmentHeader(Path(start.segment), key_));
    if (start.offset < kBatchFrame) return Error{Code::kTampered, "the start lies before any batch"};
    BOOST_OUTCOME_TRY(const std::string frame,
                      ReadFileRange(Path(start.segment), start.offset - kBatchFrame, kBatchFrame));
    const ParsedFrame parsed = ParseFrame(frame);
    if (frame.size() < kBatchFrame) return Error{Code::kRolledBack, "the log ends before the signed head"};
    if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kBatch ||
        Sha256(parsed.frame.body) != start.last_batch) {
      return Error{Code::kForked, "the batch of the signed head is not the one in the log"};
    }
    result_.tree = start.tree;
    result_.last_batch = start.last_batch;
    result_.last_segment = start.segment;
    result_.good_bytes = start.offset;
    writer_ = header.header.writer;
    day_ = header.header.day;
    segment_hash_ = header.hash;
    NoteRoot(result_.tree);
    result_.roots.insert(noted_.begin(), noted_.end());
    return Ok();
  }

  ParseFrom From(uint64_t number, uint64_t first) const {
    if (options_.start && number == first && options_.start->offset > 0) return ParseFrom{options_.start->offset, writer_};
    return {};
  }

  void JoinAll(uint64_t first, uint64_t count) {
    const unsigned threads = options_.threads > 0
                                 ? options_.threads
                                 : std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    std::deque<std::future<ParsedSegment>> ahead;
    ParsedSegment spare;
    uint64_t next = first;
    for (uint64_t number = first; number < count && !result_.fault; ++number) {
      for (; next < count && ahead.size() < threads; ++next) {
        auto parse = [path = Path(next), key = key_, from = From(next, first), keep = Keep(),
                      reused = std::exchange(spare, {})]() mutable {
          return ParseSegmentFile(path, key, from, keep, std::move(reused));
        };
        const bool alone = threads == 1 || (next == number && next + 1 == count);
        ahead.push_back(std::async(alone ? std::launch::deferred : std::launch::async, std::move(parse)));
      }
      ParsedSegment parsed = ahead.front().get();
      ahead.pop_front();
      segment_ = number;
      base_ = parsed.base;
      result_.last_segment = number;
      if (parsed.base == 0) result_.good_bytes = 0;
      Join(parsed, number == last_);
      bytes_before_ += parsed.file_end - parsed.base;
      RetryLive(number == last_);
      const bool begun = result_.good_bytes > 0 && (!result_.fault || result_.torn);
      if (visitor_ != nullptr && begun) visitor_->OnSegment(header_, Expected());
      spare = std::move(parsed);
    }
    for (auto& rest : ahead) rest.wait();
  }

  KeepPayloads Keep() const {
    return options_.payloads && visitor_ != nullptr ? KeepPayloads::kAll : KeepPayloads::kOfKeys;
  }

  // A writer at work may be in the middle of this group commit.
  void RetryLive(bool last) {
    constexpr int kTries = 100;
    for (int attempt = 0; last && options_.live && result_.fault && attempt < kTries; ++attempt) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      result_.fault.reset();
      result_.torn = false;
      const ParsedSegment parsed = ParseSegmentFile(Path(segment_), key_, {result_.good_bytes, writer_}, Keep());
      Join(parsed, last);
    }
  }

  std::string Where(uint64_t at) const {
    return "segment " + SegmentName(segment_) + ", byte " + std::to_string(at) + ": ";
  }

  void Join(const ParsedSegment& parsed, bool last) {
    result_.tail_bytes = 0;
    if (parsed.stop == ParsedSegment::Stop::kUnreadable) {
      return Fail(parsed.why.code, Expected(), parsed.why.message);
    }
    if (parsed.has_header) {
      if (auto taken = TakeHeader(parsed); !taken) {
        return Fail(Code::kTampered, Expected(), Where(0) + taken.error().message);
      }
    }
    size_t record = 0;
    for (const ParsedBatch& batch : parsed.batches) {
      if (!TakeBatch(parsed, batch, record)) return;
      record = batch.records;
    }
    result_.tail_bytes = parsed.file_end - std::min(parsed.file_end, result_.good_bytes);
    // Records whose batch frame did not come.
    for (size_t i = record; i < parsed.records.size(); ++i) {
      const uint64_t seq = Expected() + (i - record);
      if (!CheckPlace(parsed.records[i], seq)) return;
    }
    const uint64_t pending = parsed.records.size() - record;
    if (parsed.stop == ParsedSegment::Stop::kContent) {
      return Fail(parsed.why.code == Code::kBadFormat ? Code::kBadFormat : Code::kTampered,
                  Expected() + (parsed.stop_in_record ? pending : 0), Where(parsed.stop_at) + parsed.why.message);
    }
    if (parsed.stop == ParsedSegment::Stop::kFrame) {
      result_.torn = last && !parsed.signed_tail;
      return Fail(Code::kTampered, Expected() + pending, Where(parsed.stop_at) + parsed.why.message);
    }
    if (pending > 0) {
      result_.torn = last;
      Fail(Code::kTampered, Expected(),
           "segment " + SegmentName(segment_) + ": the last records have no batch frame");
    }
  }

  Result<void> TakeHeader(const ParsedSegment& parsed) {
    const auto bad = [](const char* why) {
      return Error{Code::kTampered, std::string("segment header: ") + why};
    };
    if (parsed.header.number != segment_) return bad("its number is not that of its file");
    if (parsed.header.first_seq != Expected()) return bad("records before this segment are missing or too many");
    if (parsed.header.previous_batch != result_.last_batch) return bad("it does not follow the batch before it");
    writer_ = parsed.header.writer;
    day_ = parsed.header.day;
    segment_hash_ = parsed.header_hash;
    header_ = parsed.header;
    result_.good_bytes = parsed.header_end;
    return Ok();
  }

  bool CheckPlace(const ParsedRecord& record, uint64_t seq) {
    if (record.seq != seq) {
      Fail(Code::kTampered, seq, Where(result_.good_bytes) + "record " + std::to_string(record.seq) + " stands where record " +
                                     std::to_string(seq) + " belongs");
      return false;
    }
    const uint64_t begin = day_ * kDayUs;
    if (record.wall_us + kDaySlackUs < begin || record.wall_us > begin + kDayUs + kDaySlackUs) {
      Fail(Code::kTampered, seq, Where(result_.good_bytes) + "record " + std::to_string(seq) + " is not of " + DayName(day_) +
                                     ", the day of the key that signs it");
      return false;
    }
    return true;
  }

  bool TakeBatch(const ParsedSegment& parsed, const ParsedBatch& batch, size_t first) {
    const auto bad = [&](const char* why) {
      Fail(Code::kTampered, Expected(), Where(batch.end) + "batch frame: " + why);
      return false;
    };
    CompactRange next = result_.tree;
    tile_roots_.clear();
    for (size_t i = first; i < batch.records; ++i) {
      if (!CheckPlace(parsed.records[i], next.size())) return false;
      if (const auto root = next.Append(parsed.records[i].hash, kTileLevel)) tile_roots_.push_back(*root);
      NoteRoot(next);
    }
    if (batch.records == first) return bad("it closes no record");
    if (batch.batch.first_seq != Expected() || batch.batch.count != batch.records - first ||
        batch.batch.tree_size != next.size()) {
      return bad("count or sequence does not fit its records");
    }
    if (batch.batch.previous_batch != result_.last_batch) return bad("it does not follow the batch before it");
    if (batch.batch.segment_hash != segment_hash_) return bad("it belongs to another segment");
    if (batch.batch.root != next.Root()) return bad("the root does not fit the leaves: one of them was changed");
    result_.tree = std::move(next);
    result_.last_batch = batch.hash;
    result_.good_bytes = batch.end;
    ++result_.batches;
    for (const auto& [size, root] : noted_) result_.roots[size] = root;
    if (options_.progress) options_.progress(bytes_before_ + batch.end - base_, result_.tree.size());
    if (visitor_ == nullptr) return true;
    auto tile_root = tile_roots_.begin();
    for (size_t i = first; i < batch.records; ++i) {
      const ParsedRecord& record = parsed.records[i];
      const Leaf leaf = parsed.LeafOf(record);
      const bool ends_tile = (leaf.seq + 1) % kTileWidth == 0;
      visitor_->OnRecord(ScannedRecord{leaf, record.hash, parsed.LeafBytes(record), parsed.Payload(record),
                                       record.erased, record.shredded, segment_, record.frame_at,
                                       ends_tile ? std::optional(*tile_root++) : std::nullopt});
    }
    visitor_->OnBatch(BatchEnd{segment_, batch.end, batch.hash, result_.tree});
    return true;
  }

  const std::filesystem::path folder_;
  const VerifierKey& key_;
  const ScanOptions& options_;
  ScanVisitor* const visitor_;
  ScanResult result_;
  std::optional<uint64_t> missing_from_;
  std::map<uint64_t, Hash> noted_;
  SegmentHeader header_;
  PublicKey writer_{};
  uint32_t day_ = 0;
  Hash segment_hash_{};
  std::vector<Hash> tile_roots_;  // of the batch that is looked at
  uint64_t segment_ = 0;       // that is joined now
  uint64_t base_ = 0;          // offset of what is read of it
  uint64_t last_ = 0;          // segment of the log
  uint64_t bytes_before_ = 0;  // of the segments before
};

}  // namespace

ScanResult ScanLog(const std::filesystem::path& log_folder, const VerifierKey& key,
                   const ScanOptions& options, ScanVisitor* visitor) {
  return Scanner(log_folder, key, options, visitor).Run();
}

uint64_t LogBytes(const std::filesystem::path& log_folder, uint64_t segment, uint64_t offset) {
  const auto numbers = ListSegments(log_folder);
  if (!numbers) return 0;
  uint64_t bytes = 0;
  for (const uint64_t number : numbers.value()) {
    if (number < segment) continue;
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(Within(log_folder) / "segments" / SegmentName(number), error);
    const uint64_t skipped = number == segment ? offset : 0;
    if (!error && size > skipped) bytes += size - skipped;
  }
  return bytes;
}

Result<std::vector<uint64_t>> ListSegments(const std::filesystem::path& log_folder) {
  std::vector<uint64_t> numbers;
  const std::filesystem::path folder = Within(log_folder) / "segments";
  BOOST_OUTCOME_TRY(RefuseLink(folder));
  BOOST_OUTCOME_TRY(const auto names, ListFolder(folder));
  for (const std::string& name : names) {
    if (const auto number = SegmentNumber(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace portcullis::audit
