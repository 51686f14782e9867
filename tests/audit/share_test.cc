// Two officers who must act together, each with his own key and release: what one gives the other in a share file, what
// that opens, and what it does not.

#include <gtest/gtest.h>
#include <sodium.h>

#include <list>

#include "audit/bytes.h"
#include "audit/reader.h"
#include "audit/release.h"
#include "audit/share.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

constexpr uint64_t kMade = 1'790'000'000'000'000;

class ShareTest : public CasesTest {
 protected:
  // `legal` for everybody; any two of berlin, munich and ulm for DE.
  void SetUp() override {
    CasesTest::SetUp();
    AuditorPolicy policy;
    for (const auto& [name, jurisdiction] :
         {std::pair{"legal", "*"}, {"berlin", "DE"}, {"munich", "DE"}, {"ulm", "DE"}}) {
      ASSERT_TRUE(MakeAuditorKey(dir_.path() / name));
      policy.auditors.push_back({name, jurisdiction, PublicOf(name)});
    }
    policy.two_person = {"DE"};
    ASSERT_TRUE(InstallAuditors(keys(), kOrigin, policy));
    const auto writer = StartWriter();
    ASSERT_NE(writer, nullptr);
    alice_ = Ask(*writer, 1, "alice", "").front();
    bob_ = Ask(*writer, 2, "bob", "DE");
    for (const char* name : {"berlin", "munich", "ulm", "legal"}) {
      const char* subject = std::string_view(name) == "legal" ? "alice" : "bob";
      const auto file = Act(*writer, "release", {{"subject", subject}, {"auditor", name}, {"reason", "case 7"}});
      ASSERT_TRUE(file) << file.error().message;
      ASSERT_TRUE(released_[name].Add(file.value(), kOrigin, Secret(name)));
    }
    ASSERT_TRUE(writer->Stop());
    key_ = ReadLogKey(log()).value();
  }
  // Seqs of REQ, DECISION and RESP: one chain.
  static std::vector<uint64_t> Ask(Writer& writer, uint8_t request, const std::string& subject, const std::string& jurisdiction) {
    auto events = RequestEvents(request, subject, "a question");
    for (Event& event : events) event.jurisdiction = jurisdiction;
    Ack begun = Append(writer, events);
    EXPECT_TRUE(begun.durable) << begun.error;
    Event answer = ResponseEvent(request, begun.seqs.at(0), subject, "an answer");
    answer.jurisdiction = jurisdiction;
    begun.seqs.push_back(Append(writer, {answer}).seqs.at(0));
    return begun.seqs;
  }
  AuditorKey PublicOf(const std::string& name) const { return ReadAuditorPublic(dir_.path() / (name + ".pub")).value(); }
  const certs::SecretBytes& Secret(const std::string& name) {
    auto& secret = secrets_[name];
    if (secret.empty()) secret = std::move(ReadAuditorSecret(dir_.path() / name).value());
    return secret;
  }
  Result<std::string> Make(const std::string& from, const std::string& to, const std::vector<uint64_t>& seqs,
                           const std::string& reason = "case 7") {
    BOOST_OUTCOME_TRY(ShareMaker maker, ShareMaker::Make(kOrigin, Secret(from), PublicOf(to)));
    for (const uint64_t seq : seqs) {
      BOOST_OUTCOME_TRY(const LoadedRecord record, LoadRecord(log(), key_, seq));
      BOOST_OUTCOME_TRY(maker.Add(record.leaf, record.key_payload, released_[from]));
    }
    return maker.Seal(kMade, reason);
  }
  // With the key and the release of one auditor, and the shares.
  Result<Opened> Open(const std::string& name, const Shares& shares, uint64_t seq) {
    RecordOpener opener(kOrigin, &released_[name], {&Secret(name)}, &shares);
    BOOST_OUTCOME_TRY(const LoadedRecord record, LoadRecord(log(), key_, seq));
    opener.TakeKey(record.key_leaf, record.key_payload);
    return opener.Open(record.leaf, record.payload);
  }
  // What a file with these bytes inside says to munich.
  Result<ShareHead> Sealed(std::string_view inside) {
    std::string sealed(inside.size() + crypto_box_SEALBYTES, '\0');
    const AuditorKey to = PublicOf("munich");
    crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), AsBytes(inside).data(), inside.size(), to.data());
    Shares shares;
    return shares.Add("portcullis audit share v1\n" + kOrigin + "\n" + Hex(KeyIdOf(to)) + "\n" + Base64(AsBytes(sealed)) + "\n",
                      kOrigin, Secret("munich"));
  }

  std::map<std::string, certs::SecretBytes> secrets_;
  std::map<std::string, ReleasedKeys> released_;
  uint64_t alice_ = 0;
  std::vector<uint64_t> bob_;
  VerifierKey key_;
};

TEST_F(ShareTest, TheSecondOfficerOpensWhatTheFirstShared) {
  for (const auto& [from, to] : {std::pair{"berlin", "munich"}, {"munich", "berlin"}, {"ulm", "berlin"}}) {
    const auto file = Make(from, to, {bob_[0], bob_[2]});
    ASSERT_TRUE(file) << file.error().message;
    Shares shares;
    EXPECT_EQ(Open(to, shares, bob_[0]).error().code, Code::kOtherAuditor);
    const auto head = shares.Add(file.value(), kOrigin, Secret(to));
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ(head.value().from, KeyIdOf(PublicOf(from)));
    EXPECT_EQ(head.value().made_us, kMade);
    EXPECT_EQ(head.value().reason, "case 7");
    EXPECT_EQ(head.value().records, 2u);
    const auto prompt = Open(to, shares, bob_[0]), answer = Open(to, shares, bob_[2]);
    ASSERT_TRUE(prompt) << prompt.error().message;
    ASSERT_TRUE(answer) << answer.error().message;
    const auto has = [](const Opened& opened, const std::string& text) {
      return std::any_of(opened.parts.begin(), opened.parts.end(), [&](const Part& part) { return part.bytes == text; });
    };
    EXPECT_TRUE(has(prompt.value(), "a question"));
    EXPECT_TRUE(has(answer.value(), "an answer"));
  }
}

// A record of the same chain that the file does not name, before and behind one that it does.
TEST_F(ShareTest, OnlyTheRecordsThatItNamesOpen) {
  Shares shares;
  ASSERT_TRUE(shares.Add(Make("berlin", "munich", {bob_[1]}).value(), kOrigin, Secret("munich")));
  RecordOpener opener(kOrigin, &released_["munich"], {&Secret("munich")}, &shares);
  std::vector<bool> opens;
  for (const uint64_t seq : bob_) {
    const auto record = LoadRecord(log(), key_, seq).value();
    opener.TakeKey(record.key_leaf, record.key_payload);
  }
  for (const uint64_t seq : bob_) {
    const auto record = LoadRecord(log(), key_, seq).value();
    const auto opened = opener.Open(record.leaf, record.payload);
    opens.push_back(opened.has_value());
    if (opened) continue;
    EXPECT_EQ(opened.error().code, Code::kOtherAuditor);
    EXPECT_NE(opened.error().message.find("does not name record " + std::to_string(seq)), std::string::npos) << opened.error().message;
  }
  EXPECT_EQ(opens, (std::vector<bool>{false, true, false}));
}

// What the file leaves out of a chain costs nothing but the look.
TEST_F(ShareTest, RecordsThatItDoesNotNameTakeNoKeys) {
  class Counted final : public SubjectKeySource {
   public:
    explicit Counted(SubjectKeySource& keys) : keys_(keys) {}
    Result<SubjectKey> KeyOf(const SubjectKeyId& id) override { return ++asked, keys_.KeyOf(id); }
    int asked = 0;

   private:
    SubjectKeySource& keys_;
  };
  const auto asked = [this](const std::vector<uint64_t>& named) {
    Shares shares;
    EXPECT_TRUE(shares.Add(Make("berlin", "munich", named).value(), kOrigin, Secret("munich")));
    Counted keys(released_["munich"]);
    RecordOpener opener(kOrigin, &keys, {&Secret("munich")}, &shares);
    for (const uint64_t seq : bob_) {
      const auto record = LoadRecord(log(), key_, seq).value();
      if (seq == bob_[0]) opener.TakeKey(record.key_leaf, record.key_payload);
      EXPECT_EQ(opener.Open(record.leaf, record.payload).has_value(), std::ranges::count(named, seq) == 1) << seq;
    }
    return keys.asked;
  };
  EXPECT_EQ(asked({bob_[0], bob_[2]}), 1);
  EXPECT_EQ(asked({bob_[2]}), 2);
}

TEST_F(ShareTest, NobodyElseOpensItAndItAloneOpensNothing) {
  const std::string file = Make("berlin", "munich", bob_).value();
  Shares shares;
  const auto ulm = shares.Add(file, kOrigin, Secret("ulm"));
  ASSERT_FALSE(ulm);
  EXPECT_EQ(ulm.error().code, Code::kOtherAuditor);
  EXPECT_EQ(shares.Add(file, "other.example/audit", Secret("munich")).error().code, Code::kTampered);
  ASSERT_TRUE(shares.Add(file, kOrigin, Secret("munich")));
  // Ulm has a key of the jurisdiction, but is not in the group that the half is of; without a key nothing opens.
  EXPECT_EQ(Open("ulm", shares, bob_[0]).error().code, Code::kOtherAuditor);
  EXPECT_EQ(Open("legal", shares, alice_).has_value(), true);
  RecordOpener none(kOrigin, &released_["munich"], {}, &shares);
  const auto record = LoadRecord(log(), key_, bob_[0]).value();
  none.TakeKey(record.key_leaf, record.key_payload);
  EXPECT_EQ(none.Open(record.leaf, record.payload).error().code, Code::kKeys);
  // Nor without the subject's key: a release of one's own.
  ReleasedKeys empty;
  RecordOpener unreleased(kOrigin, &empty, {&Secret("munich")}, &shares);
  unreleased.TakeKey(record.key_leaf, record.key_payload);
  EXPECT_EQ(unreleased.Open(record.leaf, record.payload).error().code, Code::kNotFound);
}

TEST_F(ShareTest, WhatCannotBeSharedIsRefusedInWords) {
  EXPECT_EQ(Make("berlin", "berlin", bob_).error().code, Code::kKeys);
  EXPECT_EQ(Make("berlin", "legal", bob_).error().code, Code::kOtherAuditor);
  const auto alone = Make("legal", "berlin", {alice_});
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().message.find("nothing to share"), std::string::npos) << alone.error().message;
  EXPECT_EQ(Make("berlin", "munich", {alice_}).error().code, Code::kNotFound);  // not released to him
  for (const std::string& reason : {std::string(), std::string("two\nlines"), std::string("\xc2\x80"), std::string(kMaxShareReason + 1, 'x')}) {
    EXPECT_EQ(Make("berlin", "munich", bob_, reason).error().code, Code::kInvalidArgument);
  }
}

TEST_F(ShareTest, EveryChangedByteIsRefused) {
  const std::string file = Make("berlin", "munich", bob_).value();
  Shares shares;
  for (size_t at = 0; at < file.size(); at += 7) {
    std::string bad = file;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(shares.Add(bad, kOrigin, Secret("munich"))) << at;
  }
  for (const size_t keep : {size_t{0}, size_t{10}, file.size() / 2, file.size() - 1}) {
    EXPECT_FALSE(shares.Add(file.substr(0, keep), kOrigin, Secret("munich"))) << keep;
  }
  EXPECT_FALSE(shares.Add(file + "more\n", kOrigin, Secret("munich")));
  EXPECT_FALSE(shares.Knows(LoadRecord(log(), key_, bob_[0]).value().leaf.chain));
}

TEST_F(ShareTest, WhatIsSealedInsideIsChecked) {
  struct Chain {
    uint64_t chain;
    std::vector<uint64_t> seqs;
  };
  const auto inside = [](const std::string& origin, const std::string& reason, const std::vector<Chain>& chains) {
    std::string text;
    ByteWriter out(text);
    out.PutBytes(OriginId(origin));
    out.PutText(std::string(8, 'k'));
    out.Put(kMade);
    out.PutSized<uint16_t>(reason);
    out.Put(static_cast<uint32_t>(chains.size()));
    for (const Chain& chain : chains) {
      out.PutText(std::string(16 + 2 + 2 + 4, 's'));
      out.Put(chain.chain);
      out.PutText(std::string(1 + kKeySize, 'h'));
      out.Put(static_cast<uint32_t>(chain.seqs.size()));
      for (const uint64_t seq : chain.seqs) out.Put(seq);
    }
    return text;
  };
  const std::string good = inside(kOrigin, "why", {{3, {4, 5}}, {8, {9}}});
  ASSERT_TRUE(Sealed(good)) << Sealed(good).error().message;
  EXPECT_EQ(Sealed(good).value().records, 3u);
  EXPECT_EQ(Sealed(inside(kOrigin, "M\u00fcnchen\u00a0\u2013 9", {{3, {4}}})).value().reason, "M\u00fcnchen\u00a0\u2013 9");
  for (const std::string& bad :
       {good + "x", good.substr(0, good.size() - 1), std::string(), inside("other.example/audit", "why", {{3, {4}}}),
        inside(kOrigin, "", {{3, {4}}}), inside(kOrigin, "a\x1b[2J", {{3, {4}}}),
        inside(kOrigin, "a\xc2\x9b" "2J", {{3, {4}}}), inside(kOrigin, "a\x7f", {{3, {4}}}), inside(kOrigin, "why", {}),
        inside(kOrigin, "why", {{0, {4}}}), inside(kOrigin, "why", {{3, {}}}), inside(kOrigin, "why", {{3, {3}}}),
        inside(kOrigin, "why", {{3, {5, 4}}}), inside(kOrigin, "why", {{3, {4, 4}}}),
        inside(kOrigin, "why", {{8, {9}}, {3, {4}}}), inside(kOrigin, "why", {{3, {4}}, {3, {5}}})}) {
    const auto head = Sealed(bad);
    ASSERT_FALSE(head) << bad.size();
    EXPECT_EQ(head.error().code, Code::kTampered);
    EXPECT_TRUE(head.error().message.starts_with("share file: ")) << head.error().message;
  }
}

// A half that is not his: the file's fault, told as such, and no verdict on the log.
TEST_F(ShareTest, AForgedHalfAccusesTheShareAndNotTheLog) {
  const auto record = LoadRecord(log(), key_, bob_[0]).value();
  const WrapContext context{OriginId(kOrigin), SubjectKeyOf(record.leaf), record.leaf.epoch, record.leaf.chain};
  const auto subject = released_["berlin"].KeyOf(SubjectKeyOf(record.leaf)).value().Copy();
  const auto half = OpenHalf(std::string_view(record.key_payload).substr(kPartEntrySize), context, subject.wrap(),
                             Secret("berlin"), KeyIdOf(PublicOf("munich")));
  ASSERT_TRUE(half) << half.error().message;
  for (const bool forged : {false, true}) {
    std::string text;
    ByteWriter out(text);
    out.PutBytes(context.origin);
    out.PutBytes(KeyIdOf(PublicOf("berlin")));
    out.Put(kMade);
    out.PutSized<uint16_t>("why");
    out.Put(uint32_t{1});
    out.PutBytes(context.key.subject);
    out.Put(context.key.retention);
    out.Put(context.key.period);
    out.Put(context.epoch);
    out.Put(context.chain);
    out.Put(half.value().group);
    std::string secret(AsText(half.value().half.bytes()));
    if (forged) secret[0] = static_cast<char>(secret[0] ^ 1);
    out.PutText(secret);
    out.Put(uint32_t{1});
    out.Put(bob_[0]);
    std::string sealed(text.size() + crypto_box_SEALBYTES, '\0');
    const AuditorKey to = PublicOf("munich");
    crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), AsBytes(text).data(), text.size(), to.data());
    Shares shares;
    ASSERT_TRUE(shares.Add("portcullis audit share v1\n" + kOrigin + "\n" + Hex(KeyIdOf(to)) + "\n" + Base64(AsBytes(sealed)) + "\n",
                           kOrigin, Secret("munich")));
    const auto opened = Open("munich", shares, bob_[0]);
    EXPECT_EQ(opened.has_value(), !forged);
    if (forged) {
      EXPECT_EQ(opened.error().code, Code::kOtherAuditor);
    }
    // It does not hide the good one, either: two that contradict each other are told.
    const auto good = shares.Add(Make("berlin", "munich", {bob_[0]}).value(), kOrigin, Secret("munich"));
    EXPECT_EQ(good.has_value(), !forged);
    if (forged) {
      EXPECT_NE(good.error().message.find("contradicts another"), std::string::npos) << good.error().message;
    }
    VerifyOptions options;
    options.log_folder = log();
    options.auditor_secrets = {&Secret("munich")};
    options.keys = &released_["munich"];
    options.shares = &shares;
    options.all_keys = false;
    const Report report = VerifyLog(options);
    EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
    EXPECT_EQ(report.decrypted, forged ? 0u : 1u);
  }
}

TEST_F(ShareTest, BothKeysAndAShareOnOneMachineOpenAsWithoutIt) {
  Shares shares;
  ASSERT_TRUE(shares.Add(Make("berlin", "munich", bob_).value(), kOrigin, Secret("munich")));
  RecordOpener opener(kOrigin, &released_["munich"], {&Secret("berlin"), &Secret("munich")}, &shares);
  const auto record = LoadRecord(log(), key_, bob_[0]).value();
  opener.TakeKey(record.key_leaf, record.key_payload);
  const auto opened = opener.Open(record.leaf, record.payload);
  EXPECT_TRUE(opened) << opened.error().message;
}

}  // namespace
}  // namespace portcullis::audit::test
