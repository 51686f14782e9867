// Every format goes out and comes back, and refuses what it should.

#include <gtest/gtest.h>
#include <sodium.h>

#include <random>

#include "audit/chains.h"
#include "audit/crc32c.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/protocol.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "audit/signer.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit {
namespace {

Leaf SampleLeaf() {
  Leaf leaf;
  leaf.kind = Kind::kResp;
  leaf.clock = ClockState::kSynchronised;
  leaf.epoch = 2026;
  leaf.origin.fill(1);
  leaf.seq = 0x0102030405060708;
  leaf.boot.fill(2);
  leaf.wall_us = 3;
  leaf.mono_us = 4;
  leaf.request_id.fill(5);
  leaf.parent_seq = 6;
  leaf.subject.fill(7);
  leaf.outcome = 200;
  leaf.tag_count = 2;
  leaf.tags[1].fill(8);
  leaf.chain = 9;
  leaf.chain_index = 10;
  return leaf;
}

struct KeyPair {
  VerifierKey key;
  certs::SecretBytes secret;
};

KeyPair MakeKeyPair(const std::string& name) {
  certs::InitSodium();
  KeyPair pair{{name, {}}, certs::SecretBytes(64)};
  crypto_sign_keypair(pair.key.key.data(), pair.secret.data());
  return pair;
}

TEST(Crc32c, KnownVectorsOnBothPaths) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  std::mt19937 random(1);
  for (size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(Crc32c(bytes), Crc32cPortableForTest(bytes));
  }
}

// Around the sizes at which blocks begin, and behind other bytes.
TEST(Crc32c, LongInputsAndContinuations) {
  std::mt19937 random(2);
  std::string bytes(3 * 3072 + 400, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  const std::string_view all = bytes;
  for (const size_t block : {384u, 768u, 3072u, 6144u, 9216u}) {
    for (size_t size = block - 9; size < block + 10; ++size) {
      const std::string_view one = all.substr(random() % 8, size);
      EXPECT_EQ(Crc32c(one), Crc32cPortableForTest(one)) << size;
      const size_t cut = random() % size;
      EXPECT_EQ(Crc32c(one.substr(cut), Crc32c(one.substr(0, cut))), Crc32cPortableForTest(one)) << size << " at " << cut;
    }
  }
}

TEST(Leaf, RoundTripAndRefusals) {
  const Leaf leaf = SampleLeaf();
  const std::string bytes = EncodeLeaf(leaf);
  ASSERT_EQ(bytes.size(), kLeafSize);
  EXPECT_LE(bytes.size(), 512u);
  const auto again = DecodeLeaf(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again.value(), leaf);
  EXPECT_FALSE(DecodeLeaf(bytes.substr(1)));
  for (const auto& [at, value] : {std::pair{0, 1}, {1, 0}, {1, 99}, {2, 3}, {186, 5}}) {
    std::string bad = bytes;
    bad[static_cast<size_t>(at)] = static_cast<char>(value);
    EXPECT_FALSE(DecodeLeaf(bad)) << at;
  }
}

TEST(Leaf, EveryByteIsPartOfTheRecord) {
  const std::string bytes = EncodeLeaf(SampleLeaf());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto leaf = DecodeLeaf(changed);
    if (!leaf) continue;
    EXPECT_EQ(EncodeLeaf(leaf.value()), changed) << i;
  }
}

TEST(Kinds, NumbersNeverChange) {
  EXPECT_EQ(static_cast<int>(*KindFromName("REQ")), 1);
  EXPECT_EQ(static_cast<int>(*KindFromName("KEY")), 7);
  EXPECT_EQ(static_cast<int>(*KindFromName("HEARTBEAT")), 12);
  EXPECT_EQ(static_cast<int>(*KindFromName("SIEGE")), 18);
  EXPECT_FALSE(KindFromNumber(0));
  EXPECT_FALSE(KindFromNumber(19));
}

TEST(Padding, Padme) {
  EXPECT_EQ(PaddedSize(0).size, 64u);
  EXPECT_EQ(PaddedSize(64).size, 64u);
  for (size_t size = 65; size < 1 << 20; size = size * 9 / 8 + 1) {
    const Padding padding = PaddedSize(size);
    EXPECT_GE(padding.size, size);
    EXPECT_LE(padding.size, size + size / 8 + 1);
    EXPECT_EQ(PaddedSize(padding.size).size, padding.size);
  }
}

TEST(Frames, RoundTripAndEveryFlipIsSeen) {
  const std::string frame = EncodeFrame(FrameType::kRecord, "the body");
  const ParsedFrame parsed = ParseFrame(frame);
  ASSERT_EQ(parsed.state, FrameState::kWhole);
  EXPECT_EQ(parsed.frame.body, "the body");
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string bad = frame;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(ParseFrame(bad).state, FrameState::kWhole) << bit;
  }
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_EQ(ParseFrame(frame.substr(0, size)).state, FrameState::kTornTail) << size;
  }
}

TEST(Frames, HeaderAndBatchRoundTrip) {
  SegmentHeader header;
  header.number = 3;
  header.first_seq = 99;
  header.writer.fill(4);
  header.origin = "test.example/audit";
  const auto header_again = DecodeSegmentHeader(EncodeSegmentHeader(header));
  ASSERT_TRUE(header_again);
  EXPECT_EQ(header_again.value().origin, header.origin);
  EXPECT_EQ(header_again.value().first_seq, 99u);
  Batch batch;
  batch.count = 7;
  batch.root.fill(9);
  const auto batch_again = DecodeBatch(EncodeBatch(batch));
  ASSERT_TRUE(batch_again);
  EXPECT_EQ(batch_again.value().root, batch.root);
  EXPECT_FALSE(DecodeBatch(EncodeBatch(batch) + "x"));
  EXPECT_EQ(SegmentNumber(SegmentName(42)), 42u);
  EXPECT_FALSE(SegmentNumber("42.seg"));
}

// A ciphertext may be forged so that it opens under two keys; the commitment admits one.
TEST(Notes, VerifierKeyAndCheckpoint) {
  const KeyPair pair = MakeKeyPair("test.example/audit");
  const auto key = ParseVerifierKey(FormatVerifierKey(pair.key) + "\n");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key.value().key, pair.key.key);
  Checkpoint checkpoint{"test.example/audit", 42, {}};
  const std::string note = SignCheckpoint(checkpoint, pair.key, pair.secret);
  const auto opened = OpenCheckpoint(note, key.value());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value().size, 42u);
  // A witness's line is ignored; it does not harm.
  EXPECT_TRUE(OpenCheckpoint(note + "\xE2\x80\x94 witness.example AAAAAAAAAAAA\n", key.value()));
  for (size_t i = 0; i < note.size(); ++i) {
    std::string bad = note;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(OpenCheckpoint(bad, key.value())) << i;
  }
  EXPECT_FALSE(OpenCheckpoint(CheckpointText(checkpoint) + "\n", key.value()));
  EXPECT_FALSE(OpenCheckpoint(note, MakeKeyPair("test.example/audit").key));
  EXPECT_FALSE(OpenCheckpoint(note, MakeKeyPair("other.example").key));
}

// The example key of the signed-note specification's companion library.
TEST(Notes, KeyIdIsThatOfTheSpecification) {
  const auto key = ParseVerifierKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  EXPECT_FALSE(key);  // upper-case names are not origins of ours
  VerifierKey known;
  known.name = "PeterNeumann";
  const auto raw = FromBase64("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", 64);
  ASSERT_TRUE(raw);
  std::copy(raw.value().begin() + 1, raw.value().end(), known.key.begin());
  EXPECT_EQ(known.Id(), 0xc74f20a3u);
}

TEST(Proofs, Case17AValidProofOfOtherContentIsRefused) {
  const KeyPair pair = MakeKeyPair("test.example/audit");
  const Receipt receipt{20'000, 77, LeafHash("x")};
  const std::string text = MakeReceipt(receipt, "test.example/audit", pair.secret);
  const auto opened = OpenReceipt(text, "test.example/audit", pair.key.key);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value().seq, 77u);
  EXPECT_FALSE(OpenReceipt(text, "other", pair.key.key));
  EXPECT_FALSE(OpenReceipt(text.substr(0, text.size() - 1), "test.example/audit", pair.key.key));

  CompactRange tree;
  const Hash leaf = LeafHash("a"), sibling = LeafHash("b");
  tree.Append(leaf);
  tree.Append(sibling);
  const TlogProof proof{0, {sibling}, SignCheckpoint({"test.example/audit", 2, tree.Root()}, pair.key, pair.secret)};
  const auto parsed = ParseProof(FormatProof(proof));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(VerifyProof(parsed.value(), leaf, pair.key));
  EXPECT_FALSE(VerifyProof(parsed.value(), LeafHash("c"), pair.key));  // a valid proof, other content
  EXPECT_FALSE(ParseProof("c2sp.org/tlog-proof@v1\nindex x\n\n"));
}

TEST(Protocol, RoundTripInAnyChunks) {
  std::vector<Event> events = test::RequestEvents(9, "alice", std::string(3000, 'p'));
  const auto append = EncodeAppend(5, events);
  ASSERT_TRUE(append);
  Ack ack;
  ack.correlation = 6;
  ack.durable = true;
  ack.seqs = {1, 2};
  ack.leaf_hashes = {LeafHash("a"), LeafHash("b")};
  ack.receipt = "pcr1.x";
  for (const size_t chunk : {1u, 7u, 100000u}) {
    FrameReader reader;
    std::vector<Append> got;
    const std::string twice = append.value() + append.value();
    for (size_t at = 0; at < twice.size(); at += chunk) {
      reader.Feed({twice.data() + at, std::min(chunk, twice.size() - at)});
      for (;;) {
        auto next = reader.NextRequest();
        ASSERT_TRUE(next) << next.error().message;
        if (!next.value()) break;
        got.push_back(std::get<Append>(std::move(*next.value())));
      }
    }
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1].correlation, 5u);
    EXPECT_EQ(got[1].events[0].parts[1].bytes, events[0].parts[1].bytes);
    EXPECT_EQ(got[1].events[1].parent_seq, kParentFirst);
    EXPECT_EQ(reader.buffered(), 0u);
  }
  FrameReader reader;
  const std::string reply = EncodeAck(ack);
  reader.Feed(reply);
  const auto again = reader.NextReply();
  ASSERT_TRUE(again && again.value());
  EXPECT_EQ(std::get<Ack>(*again.value()).seqs, ack.seqs);
  EXPECT_EQ(std::get<Ack>(*again.value()).leaf_hashes, ack.leaf_hashes);
}

TEST(Protocol, Case42BoundsAreEnforcedOnBothSides) {
  std::vector<Event> many(kMaxEvents + 1);
  EXPECT_FALSE(EncodeAppend(1, many));
  EXPECT_FALSE(EncodeAppend(1, {}));
  Event huge;
  huge.parts = {{PartType::kPrompt, std::string(kMaxFrame, 'x')}};
  const auto refused = EncodeAppend(1, {&huge, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  // A header that announces a gigabyte is refused before a byte of it is read.
  const std::string header("\x40\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 16);
  FrameReader reader;
  reader.Feed(header);
  EXPECT_FALSE(reader.NextRequest());
}

TEST(Protocol, EveryTruncationAndManyFlipsAreHarmless) {
  const std::string frame = EncodeAppend(5, test::RequestEvents(9, "alice", "p")).value();
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string bad = frame;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader;
    reader.Feed(bad);
    (void)reader.NextRequest();
  }
}

}  // namespace
}  // namespace portcullis::audit
