// Machines that were put back, cloned, shown in two versions: who sees it, and how a refused start ends.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "audit/override.h"
#include "audit/signer.h"
#include "audit/witnessed.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

TEST_F(CasesTest, Case13APutBackMachineIsSeenByTheWitnessOnly) {
  Witness witness = OpenWitness();
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(CosignLog(*writer, witness, 0)) << CosignLog(*writer, witness, 0).error().message;
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidWitnessed) << ReportText(VerifyWitnessed());
  Snapshot("before");
  const uint64_t seen = ParseCheckpointText(Slurp(log() / "witnessed")).value().size;
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    const auto done = CosignLog(*writer, witness, seen);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(writer->Stop());
  }
  const std::string memory = witness.Latest(kOrigin).value();
  Spill(dir_.path() / "fetched", memory);
  PutBack("before");
  // Without anybody else's memory the old state is good: that is what SELF-ATTESTED means.
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
  VerifyOptions with_memory;
  with_memory.log_folder = log();
  with_memory.seen = {memory};
  EXPECT_EQ(VerifyLog(with_memory).verdict, Verdict::kRolledBack);
  // A start with the witness's memory refuses.
  WriterOptions options = Options();
  options.seen_by_witness = dir_.path() / "fetched";
  const auto refused = Writer::Start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRolledBack);
  // A start without it is found out at the next cosigning, and for good.
  {
    const auto writer = StartWriter();
    EXPECT_EQ(Act(*writer, "witness-request", {{"old", "1000"}}).error().code, Code::kRolledBack);
    const auto told = Act(*writer, "witness-attach", {{"note", memory}});
    ASSERT_FALSE(told);
    EXPECT_TRUE(told.error().code == Code::kRolledBack || told.error().code == Code::kForked);
    EXPECT_FALSE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  }
  EXPECT_FALSE(Writer::Start(Options()));
}

TEST_F(CasesTest, Case14TwoWritersOfOneLogAreAForkToTheWitness) {
  Witness witness = OpenWitness();
  MakeLog(1);
  Snapshot("clone");
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(CosignLog(*writer, witness, 0));
    ASSERT_TRUE(writer->Stop());
  }
  const std::string memory = witness.Latest(kOrigin).value();
  const uint64_t seen = ParseCheckpointText(ParseNote(memory).value().text).value().size;
  PutBack("clone");
  const auto writer = StartWriter();
  for (int i = 0; i < 4; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
  const auto refused = CosignLog(*writer, witness, seen);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("422")) << refused.error().message;
  const auto told = Act(*writer, "witness-attach", {{"note", memory}});
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::kForked) << told.error().message;
}

TEST_F(CasesTest, Case15ASplitViewIsAForkToWhoeverComparesHeads) {
  MakeLog(1);
  const Checkpoint mine = OpenCheckpoint(Slurp(log() / "checkpoint"), ReadLogKey(log()).value()).value();
  certs::SecretBytes secret;
  ASSERT_TRUE(LoadEd25519(keys() / "log.key", secret));
  VerifyOptions options;
  options.log_folder = log();
  options.seen = {SignCheckpoint({kOrigin, mine.size - 1, LeafHash("shown to the other auditor")},
                                 ReadLogKey(log()).value(), secret)};
  EXPECT_EQ(VerifyLog(options).verdict, Verdict::kForked);
  options.seen = {SignCheckpoint(mine, ReadLogKey(log()).value(), secret)};
  EXPECT_TRUE(IsValid(VerifyLog(options).verdict));
}

TEST_F(CasesTest, Case19And20OnlyKnownWitnessesCount) {
  MakeLog(1);
  const std::string note = Slurp(log() / "checkpoint");
  const std::string text(ParseNote(note).value().text);
  ASSERT_TRUE(MakeWitnessKey(dir_.path() / "stranger.key", "stranger.example/w"));
  auto stranger = LoadWitnessKey(dir_.path() / "stranger.key");
  auto known = LoadWitnessKey(dir_.path() / "witness.key");
  Spill(log() / "witnessed", note + Cosign(text, kNow, stranger.value().key, stranger.value().secret));
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidSelfAttested);
  Spill(log() / "witnessed", note + Cosign(text, kNow, known.value().key, known.value().secret));
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidWitnessed);
  EXPECT_EQ(VerifyWitnessed().witnesses[0].time, kNow);
  // The name and the key id of the known witness, but another key: a collision of ids proves nothing.
  VerifierKey collided = known.value().key;
  std::string line = Cosign(text, kNow, collided, stranger.value().secret);
  Spill(log() / "witnessed", note + line);
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kTampered);
  // Another time than the one that was signed.
  line = Cosign(text, kNow, known.value().key, known.value().secret);
  auto raw = FromBase64(line.substr(line.rfind(' ') + 1, line.size() - line.rfind(' ') - 2), 200).value();
  raw[11] = static_cast<char>(raw[11] ^ 1);
  Spill(log() / "witnessed", note + line.substr(0, line.rfind(' ') + 1) +
                                 Base64({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}) + "\n");
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kTampered);
}

TEST_F(CasesTest, WitnessesWhoComeOneAfterTheOtherAllCount) {
  ASSERT_TRUE(MakeWitnessKey(dir_.path() / "second.key", "witness.example/w2"));
  Spill(keys() / "witnesses.pub", Slurp(keys() / "witnesses.pub") + Slurp(dir_.path() / "second.key.pub"));
  auto key = LoadWitnessKey(dir_.path() / "second.key");
  const VerifierKey w1 = ReadVerifierKey(dir_.path() / "witness.key.pub").value(), w2 = key.value().key;
  Witness first = OpenWitness();
  auto second = Witness::Open(w2, std::move(key.value().secret), dir_.path() / "second", {ReadLogKey(log()).value()});
  ASSERT_TRUE(second);
  const auto sizes = [&](const std::vector<VerifierKey>& trusted) {
    VerifyOptions options;
    options.log_folder = log();
    options.witnesses = trusted;
    const Report report = VerifyLog(options);
    EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
    std::map<std::string, uint64_t> out;
    for (const WitnessSeen& seen : report.witnesses) out[seen.name] = seen.size;
    EXPECT_EQ(out.size(), report.witnesses.size());
    EXPECT_EQ(report.verdict == Verdict::kValidWitnessed, !out.empty());
    return out;
  };
  using Sizes = std::map<std::string, uint64_t>;
  auto writer = StartWriter();
  const auto cosign = [&](Witness& witness, uint64_t old_size) {
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    const auto done = CosignLog(*writer, witness, old_size);
    EXPECT_TRUE(done) << done.error().message;
    return done ? std::stoull(done.value()) : 0;
  };
  const uint64_t early = cosign(first, 0);
  const uint64_t later = cosign(second.value(), 0);
  ASSERT_LT(early, later);
  EXPECT_EQ(sizes({w1}), (Sizes{{w1.name, early}}));
  EXPECT_EQ(sizes({w2}), (Sizes{{w2.name, later}}));
  EXPECT_EQ(sizes({w1, w2}), (Sizes{{w1.name, early}, {w2.name, later}}));
  // It outlives a start; of one witness only the newest head stays; an older note takes nothing back.
  const std::string old_note = second.value().Latest(kOrigin).value();
  ASSERT_TRUE(writer->Stop());
  writer = nullptr;
  writer = StartWriter();
  const uint64_t newest = cosign(second.value(), later);
  EXPECT_EQ(Act(*writer, "witness-attach", {{"note", old_note}}).value(), std::to_string(newest));
  EXPECT_EQ(sizes({w1, w2}), (Sizes{{w1.name, early}, {w2.name, newest}}));
  // Both on one head: one note.
  const std::string request = Act(*writer, "witness-request", {{"old", std::to_string(early)}}).value();
  const WitnessReply reply = first.Add(request, kNow);
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_TRUE(Act(*writer, "witness-attach", {{"note", ParseAddCheckpoint(request).value().checkpoint + reply.body}}));
  EXPECT_EQ(sizes({w1, w2}), (Sizes{{w1.name, newest}, {w2.name, newest}}));
  EXPECT_EQ(SplitNotes(Slurp(log() / "witnessed")).value().size(), 1u);
  ASSERT_TRUE(writer->Stop());
  // Every note of the file counts: one that is damaged is seen.
  const std::string one = Slurp(log() / "witnessed");
  Spill(log() / "witnessed", one + "\n" + one.substr(0, one.size() - 1));
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  Spill(log() / "witnessed", one + "\n");
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
}

TEST_F(CasesTest, LinesThatNoKeyVouchesForAreNotKept) {
  ASSERT_TRUE(MakeWitnessKey(dir_.path() / "second.key", "witness.example/w2"));
  Spill(keys() / "witnesses.pub", Slurp(keys() / "witnesses.pub") + Slurp(dir_.path() / "second.key.pub"));
  const auto second = LoadWitnessKey(dir_.path() / "second.key");
  ASSERT_TRUE(second);
  Witness first = OpenWitness();
  auto writer = StartWriter();
  const std::string request = Act(*writer, "witness-request", {{"old", "0"}}).value();
  const std::string checkpoint = ParseAddCheckpoint(request).value().checkpoint;
  std::string answer = first.Add(request, kNow).body;
  // As many lines as a note takes, under the log's name, long ones.
  const std::string junk = "\u2014 " + kOrigin + " " + Base64(std::vector<uint8_t>(2048, 7)) + "\n";
  while (ParseNote(checkpoint + answer + junk)) answer += junk;
  const auto attached = Act(*writer, "witness-attach", {{"note", checkpoint + answer}});
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(Slurp(log() / "witnessed").find(junk), std::string::npos);
  // The other witness of the same head still finds room, and the log is what it was.
  const std::string text(ParseNote(checkpoint).value().text);
  const auto other = Act(*writer, "witness-attach",
                         {{"note", checkpoint + Cosign(text, kNow, second.value().key, second.value().secret)}});
  ASSERT_TRUE(other) << other.error().message;
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidWitnessed) << ReportText(VerifyWitnessed());
  writer = nullptr;
  writer = StartWriter();
  ASSERT_NE(writer, nullptr);
}

TEST_F(CasesTest, AsManyWitnessesAsALogMayHaveCosignOneHead) {
  MakeLog(1);
  const VerifierKey log_key = ReadLogKey(log()).value();
  const std::string note = Slurp(log() / "checkpoint");
  const std::string text(ParseNote(note).value().text);
  std::vector<std::pair<VerifierKey, std::string>> all;
  std::vector<VerifierKey> witnesses;
  for (int i = 0; i < 16; ++i) {
    const auto path = dir_.path() / ("w" + std::to_string(i));
    ASSERT_TRUE(MakeWitnessKey(path, "witness.example/" + std::to_string(i)));
    const auto key = LoadWitnessKey(path);
    ASSERT_TRUE(key);
    witnesses.push_back(key.value().key);
    all.emplace_back(key.value().key, note + Cosign(text, kNow, key.value().key, key.value().secret));
  }
  Witnessed witnessed(witnesses);
  for (const auto& [key, cosigned] : all) {
    ASSERT_TRUE(witnessed.Take(cosigned, log_key)) << key.name;
    EXPECT_TRUE(ParseNote(witnessed.note())) << key.name;
    const auto again = Witnessed::Parse(witnessed.Text(), log_key, witnesses);
    ASSERT_TRUE(again) << key.name << again.error().message;
    EXPECT_EQ(again.value().Text(), witnessed.Text());
  }
  EXPECT_EQ(SplitNotes(witnessed.Text()).value().size(), 2u);
  Spill(log() / "witnessed", witnessed.Text());
  VerifyOptions options;
  options.log_folder = log();
  options.witnesses = witnesses;
  const Report report = VerifyLog(options);
  EXPECT_EQ(report.verdict, Verdict::kValidWitnessed) << ReportText(report);
  EXPECT_EQ(report.witnesses.size(), 16u);
}

TEST_F(CasesTest, TheWitnessAnswersAsTheSpecificationSays) {
  Witness witness = OpenWitness();
  const auto writer = StartWriter();
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  const std::string first = Act(*writer, "witness-request", {{"old", "0"}}).value();
  const WitnessReply good = witness.Add(first, kNow);
  ASSERT_EQ(good.status, 200) << good.body;
  const uint64_t size = ParseCheckpointText(ParseNote(ParseAddCheckpoint(first).value().checkpoint).value().text).value().size;
  const WitnessReply behind = witness.Add(first, kNow);  // its old size is not ours any more
  EXPECT_EQ(behind.status, 409);
  EXPECT_EQ(behind.body, std::to_string(size) + "\n");
  EXPECT_EQ(behind.content_type, "text/x.tlog.size");
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  const std::string second = Act(*writer, "witness-request", {{"old", std::to_string(size)}}).value();
  auto parsed = ParseAddCheckpoint(second).value();
  AddCheckpoint bad = parsed;
  ASSERT_FALSE(bad.proof.empty());
  bad.proof[0][0] ^= 1;
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 422);
  bad = parsed;
  bad.old_size = 1'000'000;
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 400);
  bad = parsed;
  bad.checkpoint.replace(0, 4, "best");
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 404);
  bad = parsed;
  bad.checkpoint[bad.checkpoint.find(kOrigin, bad.checkpoint.find("\n\n")) + kOrigin.size() + 30] ^= 1;
  const int forged = witness.Add(FormatAddCheckpoint(bad), kNow).status;
  EXPECT_TRUE(forged == 403 || forged == 400) << forged;
  EXPECT_EQ(witness.Add("old 0\n", kNow).status, 400);
  EXPECT_EQ(witness.Add(second, kNow).status, 200);
  // Its memory is durable and its own.
  { Witness gone = std::move(witness); }
  Witness again = OpenWitness();
  EXPECT_EQ(again.Add(first, kNow).status, 409);
}

TEST_F(CasesTest, Case26TheKeyStoreHasNoWriteAheadLogAndADamagedRowIsSeen) {
  MakeLog(1);
  EXPECT_FALSE(std::filesystem::exists(keys() / "keystore.db-wal"));
  Spill(keys() / "keystore.db-wal", "not a write-ahead log");
  EXPECT_TRUE(IsValid(Verify(true).verdict));
  std::filesystem::remove(keys() / "keystore.db-wal");
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE subject_key SET sealed = zeroblob(72)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(Verify(true).verdict, Verdict::kTampered);
}

TEST_F(CasesTest, TwoOfficersOverrideARefusedStart) {
  for (const char* name : {"one", "two", "three"}) {
    ASSERT_TRUE(MakeOfficerKey(dir_.path() / name, std::string("test.example/officer-") + name));
  }
  Spill(keys() / "officers.pub", Slurp(dir_.path() / "one.pub") + Slurp(dir_.path() / "two.pub"));
  MakeLog(2);
  const std::string before = Slurp(segment());
  std::string cut = before;
  size_t at = 0;
  for (std::string_view rest = before; !rest.empty(); rest.remove_prefix(ParseFrame(rest).frame.size)) {
    if (ParseFrame(rest).frame.type == FrameType::kBatch && at == 0) at = static_cast<size_t>(rest.data() - before.data()) + ParseFrame(rest).frame.size;
  }
  cut.resize(at);
  Spill(segment(), cut);
  ASSERT_FALSE(Writer::Start(Options()));
  const auto prepared = PrepareOverride(log(), "test.example/audit-2", "disk restored from a copy after a fire");
  ASSERT_TRUE(prepared) << prepared.error().message;
  const std::string text = OverrideText(prepared.value());
  const std::string once = SignOverride(text, dir_.path() / "one").value();
  EXPECT_FALSE(ApplyOverride(log(), keys(), text + "\n"));
  EXPECT_EQ(ApplyOverride(log(), keys(), once).error().code, Code::kPermission);
  EXPECT_EQ(ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "one").value()).error().code, Code::kPermission);
  EXPECT_EQ(ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "three").value()).error().code, Code::kPermission);
  // Nor does one officer become two by standing in the list twice, under whatever names.
  const std::string officers = Slurp(keys() / "officers.pub");
  const VerifierKey one = ReadVerifierKey(dir_.path() / "one.pub").value();
  const VerifierKey renamed{"test.example/officer-four", one.key};
  std::filesystem::copy_file(dir_.path() / "one", dir_.path() / "four");
  Spill(dir_.path() / "four.pub", FormatVerifierKey(renamed) + "\n");
  Spill(keys() / "officers.pub", officers + Slurp(dir_.path() / "one.pub") + Slurp(dir_.path() / "four.pub"));
  EXPECT_EQ(ApplyOverride(log(), keys(), once).error().code, Code::kPermission);
  const auto by_both_names = SignOverride(once, dir_.path() / "four");
  ASSERT_TRUE(by_both_names) << by_both_names.error().message;
  EXPECT_EQ(ApplyOverride(log(), keys(), by_both_names.value()).error().code, Code::kPermission);
  Spill(keys() / "officers.pub", officers);
  const std::string twice = SignOverride(once, dir_.path() / "two").value();
  const auto aside = ApplyOverride(log(), keys(), SignOverride(twice, dir_.path() / "three").value());
  ASSERT_TRUE(aside) << aside.error().message;
  EXPECT_EQ(Slurp(keys() / "override.note"), twice);  // a third one, who is no officer, is not recorded
  EXPECT_EQ(Slurp(aside.value() / "segments" / SegmentName(0)), cut);
  MakeLog(1);
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidWithRecovery) << ReportText(report);
  EXPECT_EQ(report.overrides, 1u);
  EXPECT_EQ(report.origin, "test.example/audit-2");
}

}  // namespace
}  // namespace portcullis::audit::test
