// One part of one record for one person: it opens, it is proved, and it opens nothing else.

#include <gtest/gtest.h>

#include "audit/part_release.h"
#include "audit/prover.h"
#include "audit/reader.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

class PartTest : public CasesTest {
 protected:
  void SetUp() override {
    CasesTest::SetUp();
    ASSERT_TRUE(MakeAuditorKey(dir_.path() / "lawyer"));
    const auto writer = StartWriter();
    Event event = MakeEvent(Kind::kAdmin);
    event.subject = "alice";
    event.parts = {{PartType::kPrompt, "a question"}, {PartType::kAnswer, "an answer"},
                   {PartType::kReasoning, std::string((1u << 20) + 77, 'r')}};
    seq_ = Append(*writer, {event}).seqs.at(0);
    Exchange(*writer, 9, "alice", "another question", "another answer");
    ASSERT_TRUE(writer->Stop());
    key_ = ReadLogKey(log()).value();
    record_ = LoadRecord(log(), key_, seq_).value();
    lawyer_ = ReadAuditorPublic(dir_.path() / "lawyer.pub").value();
  }
  certs::SecretBytes KeyOf(PartType type) const {
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    const auto secret = ReadAuditorSecret(auditor());
    RecordOpener opener(key_.name, store.value().get(), {&secret.value()});
    opener.TakeKey(record_.key_leaf, record_.key_payload);
    auto key = opener.PartKey(record_.leaf, type);
    EXPECT_TRUE(key) << key.error().message;
    return std::move(key.value());
  }
  std::string Proof() const {
    return Prover::Open(log(), key_).value().Prove(seq_, record_.leaf_hash).value().value();
  }
  Result<std::string> Make(PartType type, const certs::SecretBytes& key) const {
    return SealPartRelease(key_.name, lawyer_, record_.leaf, record_.payload, type, key, Proof());
  }
  Result<ReleasedPart> Open(const std::string& file, const VerifierKey& key) const {
    const auto secret = ReadAuditorSecret(dir_.path() / "lawyer");
    return OpenPartRelease(file, key, secret.value());
  }

  uint64_t seq_ = 0;
  VerifierKey key_;
  LoadedRecord record_;
  AuditorKey lawyer_{};
};

TEST_F(PartTest, OpensThatPartWithItsProof) {
  for (const auto& [type, text] : {std::pair{PartType::kPrompt, std::string("a question")},
                                   std::pair{PartType::kReasoning, std::string((1u << 20) + 77, 'r')}}) {
    const auto file = Make(type, KeyOf(type));
    ASSERT_TRUE(file) << file.error().message;
    const auto opened = Open(file.value(), key_);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened.value().part.type, type);
    EXPECT_EQ(opened.value().part.bytes, text);
    EXPECT_EQ(opened.value().leaf.seq, seq_);
    EXPECT_EQ(opened.value().leaf_hash, record_.leaf_hash);
    EXPECT_GT(opened.value().checkpoint.size, seq_);
    EXPECT_EQ(file.value().find(text), std::string::npos);
  }
}

TEST_F(PartTest, TheKeyOfOnePartOpensNoOther) {
  const auto file = Make(PartType::kAnswer, KeyOf(PartType::kPrompt));
  ASSERT_TRUE(file);
  EXPECT_EQ(Open(file.value(), key_).error().code, Code::kTampered);
  EXPECT_FALSE(KeyOf(PartType::kPrompt).bytes().empty());
  const auto prompt = KeyOf(PartType::kPrompt), answer = KeyOf(PartType::kAnswer);
  EXPECT_FALSE(std::equal(prompt.bytes().begin(), prompt.bytes().end(), answer.bytes().begin()));
  EXPECT_EQ(Make(PartType::kTools, KeyOf(PartType::kTools)).error().code, Code::kNotFound);
}

TEST_F(PartTest, OnlyItsRecipientAndItsLogTakeIt) {
  const auto file = Make(PartType::kPrompt, KeyOf(PartType::kPrompt));
  ASSERT_TRUE(file);
  const auto auditor_secret = ReadAuditorSecret(auditor());
  EXPECT_EQ(OpenPartRelease(file.value(), key_, auditor_secret.value()).error().code, Code::kKeys);
  VerifierKey other = key_;
  other.key[0] = static_cast<uint8_t>(other.key[0] ^ 1);
  EXPECT_FALSE(Open(file.value(), other));
  other = key_;
  other.name = "other.example/audit";
  EXPECT_FALSE(Open(file.value(), other));
}

TEST_F(PartTest, EveryChangedByteIsRefused) {
  const std::string file = Make(PartType::kPrompt, KeyOf(PartType::kPrompt)).value();
  for (size_t at = 0; at < file.size(); at += 23) {
    std::string bad = file;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(Open(bad, key_)) << at;
  }
  for (const size_t keep : {size_t{0}, size_t{10}, file.size() / 2, file.size() - 1}) {
    EXPECT_FALSE(Open(file.substr(0, keep), key_)) << keep;
  }
  EXPECT_FALSE(Open(file + "more\n", key_));
}

}  // namespace
}  // namespace portcullis::audit::test
