// Reading a part of a log: the end of it as it grows, and the records of a period. What comes is what a scan of
// the whole log gives, and what lies elsewhere is not read: damage there is not seen.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "audit/period_scan.h"
#include "audit/reader.h"
#include "audit/segment_parse.h"
#include "audit/tail.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

constexpr uint64_t kFirstDay = 20'000;
constexpr uint64_t kDays = 5;

class PlaceTest : public CasesTest {
 protected:
  WriterOptions Daily() {
    WriterOptions options = Options();
    options.heartbeat_seconds = 0;
    options.clock = [this] {
      const ClockReading real = ReadSystemClock();
      return ClockReading{day_ * kDayUs + 5'000'000, real.mono_us, ClockState::kSynchronised};
    };
    return options;
  }
  // A segment a day; the chains of who asks last over midnight, so that their KEY records are of another day. Each of the
  // two is on some day the first who asks.
  void MakeDays(uint64_t first = kFirstDay) {
    day_ = first;
    const auto writer = StartWriter(Daily());
    for (; day_ < first + kDays; ++day_) {
      for (uint8_t i = 0; i < 20; ++i) {
        Exchange(*writer, static_cast<uint8_t>(i + 1), (i + day_.load()) % 3 == 0 ? "alice" : "bob", "question of day " + std::to_string(day_), "answer");
      }
    }
    --day_;
    ASSERT_TRUE(writer->Stop());
  }
  VerifierKey Key() const { return ReadLogKey(log()).value(); }
  SegmentHeader Header(uint64_t number) const {
    const std::string bytes = Slurp(segment(number));
    return DecodeSegmentHeader(ParseFrame(bytes).frame.body).value();
  }
  void PutHeader(uint64_t number, const SegmentHeader& header) const {
    const std::string bytes = Slurp(segment(number));
    Spill(segment(number), EncodeFrame(FrameType::kSegment, EncodeSegmentHeader(header)) + bytes.substr(ParseFrame(bytes).frame.size));
  }
  // Flips a bit in the middle of each of these segments.
  void Damage(const std::vector<uint64_t>& numbers) const {
    for (const uint64_t number : numbers) {
      std::string bytes = Slurp(segment(number));
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
      Spill(segment(number), bytes);
    }
  }
  std::vector<uint64_t> Tail(uint64_t lines, std::string* warning = nullptr, uint64_t* first_segment = nullptr) const {
    TailReader tail(log(), Key());
    std::vector<uint64_t> seqs;
    const auto begun = tail.Begin(lines, [&](const Leaf& leaf, const Hash&) { seqs.push_back(leaf.seq); });
    EXPECT_TRUE(begun) << begun.error().message;
    if (warning != nullptr && begun) *warning = begun.value();
    if (first_segment != nullptr) *first_segment = tail.first_segment();
    return seqs;
  }
  static std::vector<uint64_t> Range(uint64_t from, uint64_t to) {
    std::vector<uint64_t> seqs;
    for (uint64_t seq = from; seq < to; ++seq) seqs.push_back(seq);
    return seqs;
  }

  std::atomic<uint64_t> day_ = kFirstDay;
};

// What an export has: the records of the period with their hashes and opened contents.
class Taker : public ScanVisitor {
 public:
  Taker(uint64_t begin, uint64_t end, RecordOpener& opener, PeriodScan* scan) : begin_(begin), end_(end), opener_(opener), scan_(scan) {}
  void OnRecord(const ScannedRecord& record) override {
    if (record.leaf.kind == Kind::kKey) opener_.TakeKey(record.leaf, record.payload);
    if (record.leaf.wall_us < begin_ || record.leaf.wall_us >= end_) return;
    std::string line = std::to_string(record.leaf.seq) + " " + Hex(record.leaf_hash);
    if (record.leaf.parts > 0 && record.leaf.kind != Kind::kKey) {
      if (scan_ != nullptr) {
        scan_->FindKeys(record.leaf.chain, [this](const Leaf& leaf, std::string_view payload) { opener_.TakeKey(leaf, payload); });
      }
      const auto opened = opener_.Open(record.leaf, record.payload);
      EXPECT_TRUE(opened) << opened.error().message;
      for (const Part& part : opened ? opened.value().parts : std::vector<Part>()) line += " " + part.bytes;
    }
    lines.push_back(line);
  }
  std::vector<std::string> lines;

 private:
  const uint64_t begin_, end_;
  RecordOpener& opener_;
  PeriodScan* const scan_;
};

class PeriodTest : public PlaceTest {
 protected:
  void SetUp() override {
    PlaceTest::SetUp();
    MakeDays();
    store_ = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly).value();
    secret_ = ReadAuditorSecret(auditor()).value();
  }
  RecordOpener Opener() const { return RecordOpener(kOrigin, store_.get(), {&secret_}); }
  std::vector<std::string> Whole(uint64_t begin, uint64_t end) const {
    RecordOpener opener = Opener();
    Taker taker(begin, end, opener, nullptr);
    ScanOptions options;
    options.payloads = true;
    EXPECT_FALSE(ScanLog(log(), Key(), options, &taker).fault);
    return taker.lines;
  }
  struct Answer {
    std::vector<std::string> lines;
    std::string warning;
    uint64_t segments = 0, bytes = 0;
    std::optional<Fault> fault;
    bool torn = false;
  };
  Answer Part(uint64_t begin, uint64_t end) const {
    PeriodScan scan(log(), Key(), begin, end);
    RecordOpener opener = Opener();
    Taker taker(begin, end, opener, &scan);
    ScanOptions options;
    options.payloads = true;
    const ScanResult result = scan.Run(options, taker);
    return {taker.lines, scan.warning(), scan.segments(), scan.bytes(), result.fault, result.torn};
  }

  std::unique_ptr<KeyStore> store_;
  certs::SecretBytes secret_;
};

TEST_F(PeriodTest, APeriodGivesWhatTheWholeLogGivesAndReadsItsSegmentsOnly) {
  const uint64_t day = kDayUs, first = kFirstDay * kDayUs;
  const std::vector<std::pair<uint64_t, uint64_t>> periods = {
      {first, first + day}, {first + 2 * day, first + 3 * day}, {first + 4 * day, UINT64_MAX}, {first + day, first + 3 * day},
      {0, first + day}, {0, UINT64_MAX}, {first + 3 * day, first + 3 * day + 6'000'000}, {first + 30 * day, first + 40 * day}, {0, 1000}};
  for (const auto& [begin, end] : periods) {
    const Answer part = Part(begin, end);
    EXPECT_FALSE(part.fault) << part.fault->message;
    EXPECT_EQ(part.warning, "");
    EXPECT_EQ(part.lines, Whole(begin, end)) << begin << " " << end;
  }
  const Answer one = Part(first + 2 * day, first + 3 * day);
  EXPECT_GT(one.lines.size(), 50u);
  EXPECT_EQ(one.segments, 3u);  // of the days beside it one each
  const auto expected = Whole(first + 2 * day, first + 3 * day);
  Damage({0, 4});
  const Answer again = Part(first + 2 * day, first + 3 * day);
  EXPECT_FALSE(again.fault) << again.fault->message;
  EXPECT_EQ(again.lines, expected);
  Damage({2});
  EXPECT_TRUE(Part(first + 2 * day, first + 3 * day).fault);
}

TEST_F(PeriodTest, WithoutGoodTilesHeadersOrCheckpointTheWholeLogIsRead) {
  const uint64_t begin = (kFirstDay + 2) * kDayUs, end = begin + kDayUs;
  const auto expected = Whole(begin, end);
  const auto tile = log() / "tile" / "0" / "000";
  const std::string good = Slurp(tile);
  std::string bad = good;
  bad[40] = static_cast<char>(bad[40] ^ 1);
  Spill(tile, bad);
  const auto expect_warned = [&](const char* what) {
    const Answer answer = Part(begin, end);
    EXPECT_NE(answer.warning.find("the whole log is read instead"), std::string::npos) << what << answer.warning;
    EXPECT_EQ(answer.lines, expected) << what;
    EXPECT_FALSE(answer.fault) << what;
  };
  expect_warned("a damaged tile");
  std::filesystem::remove(tile);
  expect_warned("a missing tile");
  Spill(tile, good);
  EXPECT_EQ(Part(begin, end).warning, "");
  std::filesystem::rename(log() / "checkpoint", log() / "aside");
  expect_warned("no checkpoint");
  std::filesystem::rename(log() / "aside", log() / "checkpoint");
  // A segment that is another's: the log is not good, and that is said.
  std::filesystem::rename(segment(1), log() / "aside");
  EXPECT_TRUE(Part(begin, end).fault);
}

// Whoever can write the log's folder decides what headers say and where files end, and must not decide by it what an
// export leaves out.
TEST_F(PeriodTest, AHeaderOrAnEndThatIsNotTheSegmentsHidesNothing) {
  constexpr uint64_t kHour = 3'600'000'000;
  const uint64_t begin = (kFirstDay + 2) * kDayUs, end = begin + 2 * kHour;
  const std::string good = Slurp(segment(2));
  const auto expect_refused = [&](const char* what) {
    const Answer answer = Part(begin, end);
    EXPECT_NE(answer.warning.find("the whole log is read instead"), std::string::npos) << what << answer.warning;
    EXPECT_TRUE(answer.fault) << what;
    Spill(segment(2), good);
  };
  SegmentHeader other_day = Header(2);
  const SegmentHeader first = Header(0);
  other_day.day = first.day;
  other_day.writer = first.writer;
  other_day.endorsement = first.endorsement;
  PutHeader(2, other_day);
  expect_refused("the day of another segment");
  const ParsedSegment parsed = ParseSegmentFile(segment(2), Key(), {});
  ASSERT_GT(parsed.batches.size(), 2u);
  std::filesystem::resize_file(segment(2), parsed.batches.end()[-2].end);
  expect_refused("cut behind a batch");
  std::filesystem::resize_file(segment(2), parsed.header_end);
  expect_refused("cut behind the header");
  std::filesystem::resize_file(segment(2), parsed.batches.back().end - 1);
  expect_refused("cut within a batch");
  const Answer answer = Part(begin, end);
  EXPECT_EQ(answer.warning, "");
  EXPECT_EQ(answer.lines, Whole(begin, end));
}

// The KEY records lie before the run, in a segment that is not the first.
TEST_F(PeriodTest, TilesThatGoBadMeanwhileHideNoKeys) {
  MakeDays(kFirstDay + kDays);
  const uint64_t begin = (kFirstDay + 2 * kDays - 1) * kDayUs;
  PeriodScan scan(log(), Key(), begin, UINT64_MAX);
  EXPECT_EQ(scan.warning(), "");
  EXPECT_EQ(scan.segments(), 2u);
  const auto expected = Whole(begin, UINT64_MAX);
  EXPECT_GT(expected.size(), 50u);
  std::filesystem::remove_all(log() / "tile");
  RecordOpener opener = Opener();
  Taker taker(begin, UINT64_MAX, opener, &scan);
  ScanOptions options;
  options.payloads = true;
  EXPECT_FALSE(scan.Run(options, taker).fault);
  EXPECT_EQ(taker.lines, expected);
}

// The end of the log is bound by the signed checkpoint alone.
TEST_F(PeriodTest, ALogThatEndsBeforeItsCheckpointIsRefused) {
  constexpr uint64_t kLast = kFirstDay + kDays - 1;
  const auto expect_refused = [&](const char* what, bool planned) {
    const Answer answer = Part(kLast * kDayUs, UINT64_MAX);
    EXPECT_EQ(answer.warning.find("the whole log is read instead") == std::string::npos, planned) << what << answer.warning;
    const Answer all = Part(0, UINT64_MAX);
    EXPECT_EQ(all.warning, "") << what;
    for (const Answer& one : {answer, all}) {
      ASSERT_TRUE(one.fault) << what;
      EXPECT_EQ(one.fault->code, Code::kRolledBack) << what << one.fault->message;
      EXPECT_FALSE(one.torn) << what;
    }
  };
  const ParsedSegment parsed = ParseSegmentFile(segment(kDays - 1), Key(), {});
  ASSERT_GT(parsed.batches.size(), 2u);
  std::filesystem::resize_file(segment(kDays - 1), parsed.batches.end()[-2].end);
  expect_refused("cut behind a batch", false);
  Spill(segment(kDays - 1), Slurp(segment(kDays - 1)) + "PCLF");
  expect_refused("cut, with a torn end", true);
  std::filesystem::resize_file(segment(kDays - 1), parsed.header_end);
  expect_refused("cut behind the header", true);
  std::filesystem::remove(segment(kDays - 1));
  expect_refused("without the newest segment", false);
  for (uint64_t number = 0; number + 1 < kDays; ++number) std::filesystem::remove(segment(number));
  expect_refused("without segments", false);
}

// Two histories under one key: the newest segment of the other one, as long as the checkpoint's.
TEST_F(PeriodTest, AnEndThatIsNotTheCheckpointsIsRefused) {
  const Checkpoint head = SignedHead(log(), Key()).value();
  const Signer signer = Signer::Open(keys(), kOrigin).value();
  Checkpoint other = head;
  other.root[0] ^= 1;
  const std::string good = Slurp(log() / "checkpoint");
  Spill(log() / "checkpoint", signer.SignText(CheckpointText(other)));
  const Answer answer = Part(0, UINT64_MAX);
  ASSERT_TRUE(answer.fault);
  EXPECT_EQ(answer.fault->code, Code::kForked) << answer.fault->message;
  Spill(log() / "checkpoint", good);
  EXPECT_FALSE(Part(0, UINT64_MAX).fault);
  std::filesystem::remove(log() / "checkpoint");
  EXPECT_NE(Part(0, UINT64_MAX).warning, "");
}

TEST_F(PeriodTest, AFirstSegmentThatBeginsLaterIsRefused) {
  SegmentHeader header = Header(0);
  header.first_seq = Header(1).first_seq;
  PutHeader(0, header);
  const Answer answer = Part((kFirstDay + 1) * kDayUs, UINT64_MAX);
  EXPECT_NE(answer.warning, "");
  EXPECT_TRUE(answer.fault);
}

// As a writer leaves it that was killed in the middle of a batch.
TEST_F(PeriodTest, ATornEndOfTheNewestSegmentIsReadAndSaid) {
  Spill(segment(kDays - 1), Slurp(segment(kDays - 1)) + "PCLF");
  const Answer answer = Part(kFirstDay * kDayUs, (kFirstDay + 1) * kDayUs);
  EXPECT_EQ(answer.warning, "");
  EXPECT_TRUE(answer.fault);
  EXPECT_GT(answer.lines.size(), 50u);
}

TEST_F(PlaceTest, TheTailIsReadFromTheNewestSegments) {
  MakeDays();
  const uint64_t size = Read().leaves.size();
  std::string warning;
  uint64_t first = 0;
  EXPECT_EQ(Tail(7, &warning, &first), Range(size - 7, size));
  EXPECT_EQ(warning, "");
  EXPECT_EQ(first, kDays - 1);
  EXPECT_EQ(Tail(0), Range(size, size));
  EXPECT_EQ(Tail(size - 1, &warning, &first), Range(1, size));
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(Tail(10 * size), Range(0, size));
  EXPECT_EQ(Tail(100, &warning, &first), Range(size - 100, size));
  EXPECT_EQ(first, kDays - 2);
  const auto tile = log() / "tile" / "0" / "000";
  const std::string good = Slurp(tile);
  std::filesystem::remove(tile);
  EXPECT_EQ(Tail(7, &warning, &first), Range(size - 7, size));
  EXPECT_NE(warning.find("the whole log was read"), std::string::npos) << warning;
  Spill(tile, good);
  Damage({0, 1, 2});
  EXPECT_EQ(Tail(7, &warning), Range(size - 7, size));
  EXPECT_EQ(warning, "");
  Damage({kDays - 1});
  TailReader tail(log(), Key());
  EXPECT_FALSE(tail.Begin(7, [](const Leaf&, const Hash&) {}));
}

TEST_F(PlaceTest, ATailFollowsOverNewSegmentsAndRewrittenOnes) {
  const auto writer = StartWriter(Daily());
  Exchange(*writer, 1, "alice", "q", "a");
  std::vector<uint64_t> seqs;
  const OnFound take = [&seqs](const Leaf& leaf, const Hash&) { seqs.push_back(leaf.seq); };
  TailReader tail(log(), Key());
  const auto begun = tail.Begin(1000, take);
  ASSERT_TRUE(begun) << begun.error().message;
  uint64_t size = writer->GetStatus().log_size;
  EXPECT_EQ(seqs, Range(0, size));
  const auto follow = [&](const char* what) {
    const auto next = tail.Next(take);
    ASSERT_TRUE(next) << what << ": " << next.error().message;
    size = writer->GetStatus().log_size;
    EXPECT_EQ(seqs, Range(0, size)) << what;
  };
  follow("nothing new");
  Exchange(*writer, 2, "bob", "q", "a");
  follow("the same segment");
  ++day_;
  Exchange(*writer, 3, "alice", "q", "a");
  Exchange(*writer, 4, "bob", "q", "a");
  follow("a new day");
  EXPECT_EQ(tail.first_segment(), 0u);
  follow("at rest");
  EXPECT_EQ(tail.first_segment(), 1u);
  // The erasure rewrites the segment in which the tail stands, and begins a new one.
  Exchange(*writer, 5, "alice", "q", "a");
  ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
  follow("an erasure");
  for (int day = 0; day < 3; ++day) {
    ++day_;
    Append(*writer, {MakeEvent(Kind::kAdmin)});
  }
  follow("some days at once");
  ASSERT_TRUE(writer->Stop());
  const auto last = tail.Next(take);
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(seqs, Range(0, Read().leaves.size()));
}

}  // namespace
}  // namespace portcullis::audit::test
