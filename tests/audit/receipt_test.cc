// What a receipt is worth: to its holder, with the log's verifier key and the proof that the log gives, and to a
// verifier of the whole log, against which it testifies.

#include "audit/receipt.h"

#include "audit/signer.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

class ReceiptTest : public CasesTest {
 protected:
  VerifierKey Key() const { return ReadLogKey(log()).value(); }
  static Proof ProofOf(Writer& writer, uint64_t seq) {
    std::promise<Proof> done;
    writer.SubmitProof({3, seq}, [&done](Proof proof) { done.set_value(std::move(proof)); });
    Proof proof = done.get_future().get();
    EXPECT_EQ(proof.error_code, 0u) << proof.error;
    return proof;
  }
  // As the log would have signed it, had it lied.
  std::string Forge(const std::string& receipt, const Hash& leaf_hash) const {
    Receipt said = ReadReceiptUnverified(receipt).value();
    said.leaf_hash = leaf_hash;
    certs::SecretBytes secret;
    EXPECT_TRUE(LoadEd25519(keys() / ("day-" + DayName(said.day) + ".key"), secret));
    return MakeReceipt(said, kOrigin, secret);
  }
  Report VerifyWith(const std::vector<std::string>& receipts) const {
    VerifyOptions options;
    options.log_folder = log();
    for (const std::string& one : receipts) {
      const auto opened = OpenReceipts(one, log(), Key());
      EXPECT_TRUE(opened) << opened.error().message;
      if (opened) options.receipts.insert(options.receipts.end(), opened.value().begin(), opened.value().end());
    }
    return VerifyLog(options);
  }
};

TEST_F(ReceiptTest, TheHolderNeedsTheLogsKeyAndTheProofAlone) {
  const auto writer = StartWriter();
  const Ack ack = Append(*writer, RequestEvents(1, "alice", "p"));
  const Proof given = ProofOf(*writer, ack.seqs[0]);
  const TlogProof proof = ParseProof(given.text).value();
  const auto days = OpenDayKeys(proof.extra, Key());
  ASSERT_TRUE(days) << days.error().message;
  const auto receipt = OpenReceipt(ack.receipt, kOrigin, days.value());
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt.value().seq, ack.seqs[0]);
  const auto checkpoint = CheckInclusion(receipt.value(), proof, given.leaf, Key());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_GT(checkpoint.value().size, ack.seqs[0]);
  EXPECT_TRUE(CheckInclusion(receipt.value(), proof, {}, Key()));
  EXPECT_EQ(ParseProof(FormatProof(proof)).value().extra, proof.extra);
}

TEST_F(ReceiptTest, WhatTheLogDidNotSignIsNoReceipt) {
  const auto writer = StartWriter();
  const Ack ack = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const TlogProof proof = ParseProof(ProofOf(*writer, ack.seqs[0]).text).value();
  const DayList days = OpenDayKeys(proof.extra, Key()).value();
  for (size_t at = 6; at + 1 < ack.receipt.size(); at += 7) {
    std::string bad = ack.receipt;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(OpenReceipt(bad, kOrigin, days)) << at;
  }
  EXPECT_FALSE(OpenReceipt(ack.receipt, "another.example/audit", days));
  EXPECT_EQ(OpenReceipt(ack.receipt, kOrigin, DayList()).error().code, Code::kNotFound);
  // A key that the log key has not endorsed, for another day, and half an entry.
  for (size_t at = 0; at < proof.extra.size(); at += 9) {
    std::string bad = proof.extra;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_EQ(OpenDayKeys(bad, Key()).error().code, Code::kTampered) << at;
  }
  EXPECT_EQ(OpenDayKeys(proof.extra.substr(1), Key()).error().code, Code::kBadFormat);
  VerifierKey other = Key();
  other.key[0] = static_cast<uint8_t>(other.key[0] ^ 1);
  EXPECT_FALSE(OpenDayKeys(proof.extra, other));
}

// A list that was made to keep whoever checks busy ends at what a proof may carry.
TEST_F(ReceiptTest, NoMoreThanSixtyFourKeysOfADayAreTried) {
  const auto writer = StartWriter();
  const Ack ack = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const DayList good = OpenDayKeys(ParseProof(ProofOf(*writer, ack.seqs[0]).text).value().extra, Key()).value();
  ASSERT_EQ(good.keys.size(), 1u);
  for (const size_t before : {kMaxEndorsedKeys - 1, kMaxEndorsedKeys}) {
    DayList days;
    for (size_t i = 0; i < before; ++i) days.keys.emplace(good.keys.begin()->first, Key().key);
    days.keys.insert(*good.keys.begin());
    EXPECT_EQ(OpenReceipt(ack.receipt, kOrigin, days).has_value(), before < kMaxEndorsedKeys) << before;
  }
}

TEST_F(ReceiptTest, AProofOfAnotherRecordShowsWhatTheLogDid) {
  const auto writer = StartWriter();
  const Ack ack = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const Ack next = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const Proof given = ProofOf(*writer, ack.seqs[0]);
  const TlogProof proof = ParseProof(given.text).value();
  const Receipt other = ReadReceiptUnverified(next.receipt).value();
  EXPECT_EQ(CheckInclusion(other, proof, {}, Key()).error().code, Code::kInvalidArgument);
  Receipt lied = ReadReceiptUnverified(ack.receipt).value();
  lied.leaf_hash = LeafHash("what was promised");
  EXPECT_EQ(CheckInclusion(lied, proof, {}, Key()).error().code, Code::kTampered);
  // With the leaf it is seen that the log vouches for both.
  EXPECT_EQ(CheckInclusion(lied, proof, given.leaf, Key()).error().code, Code::kForked);
  EXPECT_EQ(CheckInclusion(lied, proof, "not the leaf either", Key()).error().code, Code::kTampered);
}

TEST_F(ReceiptTest, AGoodLogHoldsWhatItGaveReceiptsForErasedOrNot) {
  std::vector<std::string> receipts;
  {
    const auto writer = StartWriter();
    for (const Ack& ack : Exchange(*writer, 1, "alice", "p", "a")) receipts.push_back(ack.receipt);
    for (const Ack& ack : Exchange(*writer, 2, "bob", "p", "a")) receipts.push_back(ack.receipt);
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    ASSERT_TRUE(writer->Stop());
  }
  std::string file = "# kept\nHTTP/1.1 200 OK\r\nx-portcullis-receipt: " + receipts[0] + "\r\n\r\n";
  for (const std::string& receipt : receipts) file += receipt + "\n";
  Spill(dir_.path() / "kept", file);
  const Report report = VerifyWith({(dir_.path() / "kept").string(), receipts[3]});
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  ASSERT_EQ(report.receipts.size(), 6u);
  for (const ReceiptSeen& seen : report.receipts) EXPECT_TRUE(seen.in_log) << seen.seq;
  EXPECT_NE(ReportText(report).find("receipts: 6 given, in the log 6\n"), std::string::npos) << ReportText(report);
  const std::string json = "{\"seq\":" + std::to_string(report.receipts[0].seq) + ",\"in_log\":true}";
  EXPECT_NE(ReportJson(report).find("\"receipts\":[" + json), std::string::npos) << ReportJson(report);
}

TEST_F(ReceiptTest, ARecordThatIsNotThereOrIsAnotherOneIsFound) {
  MakeLog(1);
  const uint64_t size = Verify().records;
  Snapshot("before");
  Ack ack;
  {
    const auto writer = StartWriter();
    ack = Append(*writer, RequestEvents(7, "alice", "what was promised"));
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_EQ(VerifyWith({ack.receipt}).verdict, Verdict::kValidSelfAttested);
  PutBack("before");
  const Report shorter = VerifyWith({ack.receipt});
  EXPECT_EQ(shorter.verdict, Verdict::kRolledBack) << ReportText(shorter);
  EXPECT_EQ(shorter.first_bad_seq, size);
  ASSERT_EQ(shorter.receipts.size(), 1u);
  EXPECT_FALSE(shorter.receipts[0].in_log);
  // Another history over the old one.
  {
    const auto writer = StartWriter();
    Append(*writer, RequestEvents(8, "alice", "what is told now"));
    Append(*writer, RequestEvents(9, "alice", "and more"));
    ASSERT_TRUE(writer->Stop());
  }
  ASSERT_GT(Verify().records, ack.seqs[0]);
  EXPECT_TRUE(IsValid(Verify().verdict));
  const Report other = VerifyWith({ack.receipt});
  EXPECT_EQ(other.verdict, Verdict::kTampered) << ReportText(other);
  EXPECT_EQ(other.first_bad_seq, ack.seqs[0]);
  EXPECT_NE(other.reason.find("was given for a record that this log does not hold"), std::string::npos) << other.reason;
}

TEST_F(ReceiptTest, TheFirstOfSeveralIsNamedAndDamageComesBefore) {
  std::vector<Ack> acks;
  {
    const auto writer = StartWriter();
    for (int i = 0; i < 3; ++i) acks.push_back(Append(*writer, {MakeEvent(Kind::kAdmin)}));
    ASSERT_TRUE(writer->Stop());
  }
  const std::string lie = Forge(acks[1].receipt, LeafHash("x")), later = Forge(acks[2].receipt, LeafHash("x"));
  const Report report = VerifyWith({later, acks[1].receipt, lie, acks[0].receipt});
  EXPECT_EQ(report.verdict, Verdict::kTampered);
  EXPECT_EQ(report.first_bad_seq, acks[1].seqs[0]);
  ASSERT_EQ(report.receipts.size(), 4u);
  EXPECT_TRUE(report.receipts[0].in_log);
  EXPECT_NE(report.receipts[1].in_log, report.receipts[2].in_log);
  std::filesystem::remove(log() / "days");
  EXPECT_EQ(VerifyWith({lie}).verdict, Verdict::kIncomplete);
}

TEST_F(ReceiptTest, AReceiptOfAnotherLogAccusesNobody) {
  MakeLog(1);
  const auto pair = [&] {
    certs::SecretBytes secret;
    EXPECT_TRUE(LoadEd25519(keys() / "log.key", secret));
    return secret;
  }();
  const auto today = static_cast<uint32_t>(Verify().last_us / 86'400'000'000);
  const std::string foreign = MakeReceipt({today, 1, LeafHash("x")}, kOrigin, pair);  // by no key of a day
  for (const std::string& text : {foreign, MakeReceipt({20'000, 1, LeafHash("x")}, kOrigin, pair), std::string("pcr2.AAAA")}) {
    const auto opened = OpenReceipts(text, log(), Key());
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
    EXPECT_NE(opened.error().message.find("is no receipt of this log"), std::string::npos) << opened.error().message;
  }
  Spill(dir_.path() / "empty", "nothing\n");
  EXPECT_EQ(OpenReceipts((dir_.path() / "empty").string(), log(), Key()).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(OpenReceipts((dir_.path() / "none").string(), log(), Key()));
}

}  // namespace
}  // namespace portcullis::audit::test
