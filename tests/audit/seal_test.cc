// What is sealed opens under its leaf and its keys, and under nothing else.

#include <gtest/gtest.h>
#include <sodium.h>

#include "audit/chains.h"
#include "audit/merkle.h"
#include "audit/seal.h"
#include "certs/secret.h"

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

bool OneShare(PartType, std::span<uint8_t> share) {
  std::fill(share.begin(), share.end(), uint8_t{7});
  return true;
}

TEST(Sealing, PartsOpenOnlyUnderTheirLeafAndKey) {
  certs::InitSodium();
  Sealer sealer;
  const auto key = certs::SecretBytes::Random(kKeySize);
  Leaf leaf = SampleLeaf();
  const std::vector<Part> parts = {{PartType::kPrompt, "secret prompt"}, {PartType::kAnswer, std::string(5000, 'a')}};
  const std::string payload = sealer.Seal(leaf, parts, key, OneShare);
  EXPECT_EQ(payload.size(), leaf.payload_size);
  EXPECT_EQ(payload.find("secret prompt"), std::string::npos);
  auto opened = sealer.Open(leaf, payload, key, OneShare);
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(opened.value().parts.size(), 2u);
  EXPECT_EQ(opened.value().parts[0].bytes, "secret prompt");
  EXPECT_EQ(opened.value().parts[1].bytes, parts[1].bytes);

  EXPECT_FALSE(sealer.Open(leaf, payload, certs::SecretBytes::Random(kKeySize), OneShare));
  Leaf moved = leaf;  // the same payload under another leaf
  moved.wall_us += 1;
  EXPECT_FALSE(sealer.Open(moved, payload, key, OneShare));
  for (size_t i = 0; i < payload.size(); i += 7) {
    std::string bad = payload;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(sealer.Open(leaf, bad, key, OneShare)) << i;
  }
}

TEST(Sealing, Case23AnotherKeyIsRefusedByItsCommitmentBeforeDecryption) {
  Sealer sealer;
  const auto key = certs::SecretBytes::Random(kKeySize);
  Leaf leaf = SampleLeaf();
  const std::vector<Part> parts = {{PartType::kPrompt, "x"}};
  const std::string payload = sealer.Seal(leaf, parts, key, OneShare);
  const auto refused = sealer.Open(leaf, payload, certs::SecretBytes::Random(kKeySize), OneShare);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("commits"), std::string::npos);
}

TEST(Sealing, WrapsNeedTheAuditorAndTheSubjectKey) {
  certs::InitSodium();
  certs::SecretBytes secret(32), other(32);
  AuditorKey auditor, second;
  crypto_box_keypair(auditor.data(), secret.data());
  crypto_box_keypair(second.data(), other.data());
  const auto subject = certs::SecretBytes::Random(kKeySize);
  const auto chain = certs::SecretBytes::Random(kKeySize);
  WrapContext context;
  context.key.subject.fill(3);
  context.chain = 12;
  const std::string wraps = MakeWrapSet(context, "DE", chain.bytes(), subject.bytes(), SealTo{{second, auditor}, false});
  EXPECT_EQ(ReadWrapSet(wraps).value().jurisdiction, "DE");
  using Secrets = std::vector<const certs::SecretBytes*>;
  for (const auto* key : {&secret, &other}) {
    const auto opened = OpenWrapSet(wraps, context, subject.bytes(), Secrets{key});
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened.value().Equals(chain.bytes()));
  }
  EXPECT_FALSE(OpenWrapSet(wraps, context, certs::SecretBytes::Random(kKeySize).bytes(), Secrets{&secret}));
  const auto third = certs::SecretBytes::Random(32);
  const auto stranger = OpenWrapSet(wraps, context, subject.bytes(), Secrets{&third});
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, Code::kOtherAuditor);
  WrapContext elsewhere = context;
  elsewhere.chain = 13;
  EXPECT_FALSE(OpenWrapSet(wraps, elsewhere, subject.bytes(), Secrets{&secret}));
}

TEST(Sealing, TwoPersonModeNeedsAnyTwo) {
  certs::InitSodium();
  std::vector<certs::SecretBytes> secrets(3);
  SealTo to{std::vector<AuditorKey>(3), true};
  for (size_t i = 0; i < 3; ++i) {
    secrets[i] = certs::SecretBytes(32);
    crypto_box_keypair(to.auditors[i].data(), secrets[i].data());
  }
  const auto subject = certs::SecretBytes::Random(kKeySize);
  const auto chain = certs::SecretBytes::Random(kKeySize);
  const std::string wraps = MakeWrapSet({}, "", chain.bytes(), subject.bytes(), to);
  using Secrets = std::vector<const certs::SecretBytes*>;
  for (size_t i = 0; i < 3; ++i) {
    const auto alone = OpenWrapSet(wraps, {}, subject.bytes(), Secrets{&secrets[i]});
    ASSERT_FALSE(alone);
    EXPECT_NE(alone.error().message.find("two auditors"), std::string::npos);
    for (size_t j = 0; j < 3; ++j) {
      if (i == j) continue;
      const auto both = OpenWrapSet(wraps, {}, subject.bytes(), Secrets{&secrets[i], &secrets[j]});
      ASSERT_TRUE(both) << both.error().message;
      EXPECT_TRUE(both.value().Equals(chain.bytes()));
    }
  }
}

TEST(Sealing, TwoWrapsThatDoNotBelongTogetherAreAFaultNotAnotherAuditors) {
  certs::InitSodium();
  std::vector<certs::SecretBytes> secrets(3);
  SealTo to{std::vector<AuditorKey>(3), true};
  for (size_t i = 0; i < 3; ++i) {
    secrets[i] = certs::SecretBytes(32);
    crypto_box_keypair(to.auditors[i].data(), secrets[i].data());
  }
  const auto subject = certs::SecretBytes::Random(kKeySize);
  const std::string whole = MakeWrapSet({}, "", certs::SecretBytes::Random(kKeySize).bytes(), subject.bytes(), to);
  // Of the pairs 01, 02, 12: the first auditor's half of 02 and the second one's of 12.
  const size_t head = 67, entry = (whole.size() - head) / 6;
  std::string torn = whole.substr(0, head) + whole.substr(head + 2 * entry, entry) + whole.substr(head + 4 * entry, entry);
  torn[head - 1] = 2;
  using Secrets = std::vector<const certs::SecretBytes*>;
  for (const size_t alone : {0, 1}) {
    EXPECT_EQ(OpenWrapSet(torn, {}, subject.bytes(), Secrets{&secrets[alone]}).error().code, Code::kOtherAuditor);
  }
  const auto both = OpenWrapSet(torn, {}, subject.bytes(), Secrets{&secrets[0], &secrets[1]});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, Code::kTampered) << both.error().message;
}

TEST(Sealing, Case24ALongPartWithoutItsFinalChunkDoesNotOpen) {
  certs::InitSodium();
  Sealer sealer;
  const auto key = certs::SecretBytes::Random(kKeySize);
  Leaf leaf = SampleLeaf();
  const std::vector<Part> parts = {{PartType::kAnswer, std::string(kStreamFrom + 200'000, 'a')}};
  const std::string payload = sealer.Seal(leaf, parts, key, OneShare);
  const auto opened = sealer.Open(leaf, payload, key, OneShare);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value().parts[0].bytes, parts[0].bytes);
  // An attacker who may make hashes fit again still cannot end the stream early.
  auto entries = DecodePartTable(payload, 1).value();
  ASSERT_TRUE(entries[0].stream);
  std::string stored = payload.substr(kPartEntrySize);
  stored.resize((kStreamChunk + 17) * 2);
  entries[0].size = static_cast<uint32_t>(stored.size());
  entries[0].stored_hash = Sha256(stored);
  Leaf cut = leaf;
  cut.payload_size = static_cast<uint32_t>(kPartEntrySize + stored.size());
  cut.ct_hash = Sha256(EncodePartTable(entries));
  EXPECT_FALSE(sealer.Open(cut, EncodePartTable(entries) + stored, key, OneShare));
}

TEST(Chains, KeysGoForwardAndAreBounded) {
  ChainTable chains;
  ChainTable::Owner subject;
  EXPECT_FALSE(chains.Current(subject, 2026, 0));
  const auto first = chains.Begin(subject, 2026, 5, 0).key;
  const std::vector<uint8_t> chain_0(first.begin(), first.end());
  chains.Advance(subject);
  const auto link = chains.Current(subject, 2026, 1);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->index, 1u);
  std::vector<uint8_t> next = chain_0;
  AdvanceChain(next);
  EXPECT_TRUE(std::equal(next.begin(), next.end(), link->key.begin()));
  EXPECT_FALSE(chains.Current(subject, 2026, ChainTable::kMaxAgeUs + 1));  // too old
  chains.Begin(subject, 2026, 6, 0);
  for (uint32_t i = 0; i < ChainTable::kMaxRecords; ++i) chains.Advance(subject);
  EXPECT_FALSE(chains.Current(subject, 2026, 0));  // used up
  for (size_t i = 0; i < ChainTable::kMaxChains + 10; ++i) {
    ChainTable::Owner other;
    other.key.subject[0] = static_cast<uint8_t>(i);
    other.key.subject[1] = static_cast<uint8_t>(i >> 8);
    chains.Begin(other, 2026, i, i);
  }
  EXPECT_EQ(chains.size(), ChainTable::kMaxChains);
}

}  // namespace
}  // namespace portcullis::audit
