// What a segment's parser keeps, and that its window does not show: records larger than it, frames that
// cross its edges, files that end anywhere.

#include "audit/segment_parse.h"

#include "audit/layout.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

class SegmentParseTest : public LogTest {
 protected:
  // Contents from nothing to three windows, so that frames lie across the windows' edges at many places.
  void WriteRecords() {
    auto writer = StartWriter();
    for (const size_t bytes : {100u, 300'000u, 50'000u, 200'000u, 800'000u, 1u, 262'144u, 70'000u}) {
      Event event = MakeEvent(Kind::kAdmin);
      event.parts = {{PartType::kMetadata, std::string(bytes, 'w')}};
      ASSERT_TRUE(Append(*writer, {std::move(event)}).durable);
    }
    ASSERT_TRUE(writer->Stop());
  }
  ParsedSegment Parse(KeepPayloads keep, ParsedSegment reused = {}) const {
    return ParseSegmentFile(segment(), ReadLogKey(log()).value(), {}, keep, std::move(reused));
  }
};

TEST_F(SegmentParseTest, KeepsWhatIsAskedForAndChecksAll) {
  WriteRecords();
  const std::string file = Slurp(segment());
  const ParsedSegment all = Parse(KeepPayloads::kAll);
  ParsedSegment used = Parse(KeepPayloads::kAll);
  const ParsedSegment keys = Parse(KeepPayloads::kOfKeys, std::move(used));
  ASSERT_EQ(all.stop, ParsedSegment::Stop::kEnd) << all.why.message;
  ASSERT_EQ(keys.stop, ParsedSegment::Stop::kEnd) << keys.why.message;
  ASSERT_GE(all.records.size(), 10u);
  ASSERT_EQ(keys.records.size(), all.records.size());
  EXPECT_EQ(keys.batches.size(), all.batches.size());
  EXPECT_EQ(all.file_end, file.size());
  for (size_t i = 0; i < all.records.size(); ++i) {
    const ParsedRecord& record = all.records[i];
    const Leaf leaf = all.LeafOf(record);
    EXPECT_EQ(record.seq, i);
    EXPECT_EQ(keys.records[i].hash, record.hash);
    EXPECT_EQ(keys.records[i].frame_at, record.frame_at);
    EXPECT_EQ(keys.LeafBytes(keys.records[i]), all.LeafBytes(record));
    EXPECT_EQ(all.Payload(record), file.substr(record.frame_at + kFrameHeader + kLeafSize, leaf.payload_size));
    EXPECT_EQ(keys.Payload(keys.records[i]), leaf.kind == Kind::kKey ? all.Payload(record) : "");
  }
  // A bit of any payload is seen, whether it is kept or not.
  for (const ParsedRecord& record : all.records) {
    if (all.Payload(record).empty()) continue;
    std::string damaged = file;
    damaged[record.frame_at + kFrameHeader + kLeafSize + all.Payload(record).size() - 1] ^= 1;
    Spill(segment(), damaged);
    const ParsedSegment parsed = Parse(KeepPayloads::kOfKeys);
    EXPECT_EQ(parsed.stop, ParsedSegment::Stop::kFrame);
    EXPECT_EQ(parsed.stop_at, record.frame_at);
    EXPECT_EQ(parsed.records.size(), record.seq);
  }
}

TEST_F(SegmentParseTest, EndsAtTheFrameThatTheFileCuts) {
  WriteRecords();
  const std::string file = Slurp(segment());
  const ParsedSegment all = Parse(KeepPayloads::kOfKeys);
  for (const ParsedRecord& record : all.records) {
    const size_t size = kFrameHeader + kLeafSize + all.LeafOf(record).payload_size;
    for (const size_t part : {size_t{1}, size_t{15}, size_t{16}, size / 2, size - 1}) {
      Spill(segment(), file.substr(0, record.frame_at + part));
      const ParsedSegment cut = Parse(KeepPayloads::kOfKeys);
      EXPECT_EQ(cut.stop, ParsedSegment::Stop::kFrame);
      EXPECT_EQ(cut.stop_at, record.frame_at);
      EXPECT_EQ(cut.records.size(), record.seq);
      EXPECT_FALSE(cut.signed_tail);
    }
  }
  // A frame that is none in the middle: the signed batches behind it are found, however far they are.
  std::string damaged = file;
  damaged[all.records[3].frame_at] ^= 1;
  Spill(segment(), damaged);
  EXPECT_TRUE(Parse(KeepPayloads::kOfKeys).signed_tail);
}

}  // namespace
}  // namespace portcullis::audit::test
