// A log and the counter of a TPM: the real portcullis-auditd, a real TPM 2.0 in software. Machines are put back,
// killed and moved; the counter is deleted, made again, guarded by another key; the TPM dies and comes back.

#include <gtest/gtest.h>
#include <signal.h>
#include <tss2/tss2_esys.h>

#include <thread>

#include "audit/override.h"
#include "audit/signer.h"
#include "audit/tpm_counter.h"
#include "audit/tpm_link.h"
#include "certs/keyfile.h"
#include "tests/audit/cases.h"
#include "tests/audit/process.h"
#include "tests/audit/swtpm.h"

namespace portcullis::audit::test {
namespace {

using Found = MonotonicCounter::Found;

class TpmTest : public CasesTest {
 protected:
  void SetUp() override {
    if (!Swtpm::Installed()) GTEST_SKIP() << "swtpm, the TPM in software, is not installed";
    CasesTest::SetUp();
    ::signal(SIGPIPE, SIG_IGN);
    ::setenv("TSS2_LOG", "all+none", 0);
    ASSERT_TRUE(tpm_.Start()) << Slurp(dir_.path() / "swtpm.log");
  }

  std::vector<std::string> WithTpm(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--tpm-counter", tpm_.tcti()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::unique_ptr<Auditd> Start(std::vector<std::string> arguments) const {
    std::filesystem::remove(dir_.path() / "auditd.log");
    return std::make_unique<Auditd>(dir_.path(), std::move(arguments));
  }
  std::unique_ptr<Auditd> Serve() const {
    auto auditd = Start(WithTpm());
    const auto ready = auditd->Ready();
    EXPECT_TRUE(ready) << Slurp(auditd->words());
    return auditd;
  }
  void StartAndStop() const {
    const auto auditd = Serve();
    auditd->Kill(SIGTERM);
    ASSERT_EQ(auditd->Wait(), 0) << Slurp(auditd->words());
  }
  // The words of a start that is refused.
  std::string Refusal(std::vector<std::string> arguments) const {
    const auto auditd = Start(std::move(arguments));
    EXPECT_EQ(auditd->Wait(), 1);
    return Slurp(auditd->words());
  }
  TpmOptions Options() const { return {tpm_.tcti(), kDefaultTpmIndex, keys(), ReadLogKey(log()).value()}; }
  std::unique_ptr<TpmCounter> OpenCounter() const {
    auto counter = TpmCounter::Open(Options());
    EXPECT_TRUE(counter) << counter.error().message;
    return std::move(counter.value());
  }
  uint64_t Value() const {
    const auto value = OpenCounter()->Read();
    EXPECT_TRUE(value) << value.error().message;
    return value ? value.value() : 0;
  }
  // By whoever has the owner's authorisation.
  void Delete() const {
    auto link = TpmLink::Open(tpm_.tcti());
    ASSERT_TRUE(link) << link.error().message;
    ESYS_CONTEXT* esys = link.value()->esys();
    ESYS_TR index = ESYS_TR_NONE;
    ASSERT_EQ(Esys_TR_FromTPMPublic(esys, kDefaultTpmIndex, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &index), 0u);
    ASSERT_EQ(Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE), 0u);
  }
  static bool Has(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

  Swtpm tpm_{dir_.path()};
};

TEST_F(TpmTest, TheCounterGoesOnOverEndsAndKills) {
  StartAndStop();
  EXPECT_EQ(Value(), 3u);  // made, start, end
  Serve()->Kill(SIGKILL);
  EXPECT_EQ(Value(), 4u);
  StartAndStop();
  EXPECT_EQ(Value(), 6u);
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kValidWithRecovery) << ReportText(report);
  ASSERT_TRUE(report.counter);
  EXPECT_EQ(report.counter->value, 5u);
  EXPECT_TRUE(report.counter->answers);
  const auto counter = OpenCounter();
  ASSERT_EQ(counter->Find().value(), Found::kOurs);
  EXPECT_EQ(report.counter->name, counter->Name());
}

TEST_F(TpmTest, ItOutlivesTheTpmsOwnRestarts) {
  StartAndStop();
  tpm_.Kill();
  ASSERT_TRUE(tpm_.Start());
  EXPECT_EQ(Value(), 3u);
  StartAndStop();
}

TEST_F(TpmTest, Case13APutBackMachineIsRefusedAndTwoOfficersGoOnUnderAnotherName) {
  for (const char* name : {"one", "two"}) {
    ASSERT_TRUE(MakeOfficerKey(dir_.path() / name, std::string("test.example/officer-") + name));
  }
  Spill(keys() / "officers.pub", Slurp(dir_.path() / "one.pub") + Slurp(dir_.path() / "two.pub"));
  StartAndStop();
  Snapshot("before");
  StartAndStop();
  PutBack("before");
  const std::string words = Refusal(WithTpm());
  EXPECT_TRUE(Has(words, "an old copy of the machine was put back")) << words;
  EXPECT_TRUE(Has(words, "stands at 5, the signer's memory at 3")) << words;
  EXPECT_TRUE(Has(Refusal({}), "start with --tpm-counter"));
  const auto prepared = PrepareOverride(log(), "test.example/audit-2", "restored from a backup after a fire");
  ASSERT_TRUE(prepared) << prepared.error().message;
  const std::string once = SignOverride(OverrideText(prepared.value()), dir_.path() / "one").value();
  ASSERT_TRUE(ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "two").value()));
  StartAndStop();
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kValidWithRecovery) << ReportText(report);
  EXPECT_EQ(report.overrides, 1u);
  EXPECT_EQ(report.origin, "test.example/audit-2");
  ASSERT_TRUE(report.counter);
  EXPECT_EQ(report.counter->value, 7u);  // above all that there was: made 6, start 7
  StartAndStop();
  EXPECT_TRUE(IsValid(Verify().verdict));
}

TEST_F(TpmTest, Case13ACopyOfARunningMachineIsRefusedAfterItsNextStart) {
  {
    const auto auditd = Serve();
    Snapshot("running");
    auditd->Kill(SIGKILL);
  }
  Serve()->Kill(SIGKILL);
  PutBack("running");
  EXPECT_TRUE(Has(Refusal(WithTpm()), "an old copy of the machine was put back"));
}

TEST_F(TpmTest, ADeletedCounterIsRefusedAlsoWhenItIsMadeAgain) {
  StartAndStop();
  const uint64_t stood = Value();
  Delete();
  EXPECT_TRUE(Has(Refusal(WithTpm()), "does not exist"));
  // With all that is needed to make the same one: the TPM does not begin anew.
  const auto again = OpenCounter();
  const auto made = again->Create();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_GT(again->Read().value(), stood);
  const std::string words = Refusal(WithTpm());
  EXPECT_TRUE(Has(words, "an old copy of the machine was put back")) << words;
}

TEST_F(TpmTest, AnotherTpmIsRefused) {
  StartAndStop();
  tpm_.Kill();
  std::filesystem::remove_all(dir_.path() / "swtpm-state");
  ASSERT_TRUE(tpm_.Start());
  EXPECT_TRUE(Has(Refusal(WithTpm()), "does not exist"));
  ASSERT_TRUE(OpenCounter()->Create());  // at 1, where the log knows of 3
  EXPECT_TRUE(Has(Refusal(WithTpm()), "it is not the same counter"));
}

TEST_F(TpmTest, WithoutItsKeyNobodyReadsOrMovesTheCounter) {
  StartAndStop();
  std::filesystem::rename(keys() / "tpm.key", keys() / "right.key");
  ASSERT_TRUE(certs::WriteKeyFile(keys() / "tpm.key", "tpm-auth", certs::SecretBytes::Random(32).bytes()));
  const std::string words = Refusal(WithTpm());
  EXPECT_TRUE(Has(words, "the authorisation value is not the right one")) << words;
  const auto moved = OpenCounter()->Increment();
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Code::kCounter);
  std::filesystem::rename(keys() / "right.key", keys() / "tpm.key");
  EXPECT_EQ(Value(), 3u);
  StartAndStop();
}

TEST_F(TpmTest, ADeadTpmRefusesTheStartInTime) {
  StartAndStop();
  tpm_.Signal(SIGSTOP);
  const std::string silent = Refusal(WithTpm({"--tpm-timeout-ms", "200"}));
  EXPECT_TRUE(Has(silent, "answer") || Has(silent, "within 200 ms")) << silent;
  tpm_.Kill();
  EXPECT_TRUE(Has(Refusal(WithTpm()), "cannot reach"));
  ASSERT_TRUE(tpm_.Start());
  StartAndStop();
}

TEST_F(TpmTest, ATpmThatWasAwayIsFoundAgainByARunningLog) {
  const auto auditd = Serve();
  tpm_.Kill();
  ASSERT_TRUE(tpm_.Start());
  auditd->Kill(SIGTERM);
  ASSERT_EQ(auditd->Wait(), 0) << Slurp(auditd->words());
  EXPECT_EQ(Value(), 3u);  // the step of the end came through, out of the sandbox
}

TEST_F(TpmTest, AnEndGoesThroughWithoutATpmAndTheNextStartTakesTheStepThatIsDue) {
  const auto auditd = Serve();
  tpm_.Kill();
  auditd->Kill(SIGTERM);
  ASSERT_EQ(auditd->Wait(), 0) << Slurp(auditd->words());
  ASSERT_TRUE(tpm_.Start());
  EXPECT_EQ(Value(), 2u);
  StartAndStop();
  EXPECT_EQ(Value(), 5u);  // the step that is due, the start's, the end's
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

TEST_F(TpmTest, TheIndexOfAnotherLogIsLeftAlone) {
  TpmOptions options = Options();
  options.log.name = "other.example/audit";
  options.keys_folder = dir_.path();
  ASSERT_TRUE(TpmCounter::Open(options).value()->Create());
  EXPECT_TRUE(Has(Refusal(WithTpm()), "choose a free --tpm-index"));
  const auto auditd = Start(WithTpm({"--tpm-index", "0x01800001"}));
  ASSERT_TRUE(auditd->Ready()) << Slurp(auditd->words());
  EXPECT_EQ(TpmCounter::Open(options).value()->Find().value(), Found::kOurs);
}

TEST_F(TpmTest, ATpmThatHasAnOwnerNeedsTheOwnersPassword) {
  {
    auto link = TpmLink::Open(tpm_.tcti());
    ASSERT_TRUE(link);
    const TPM2B_AUTH password{5, {'o', 'w', 'n', 'e', 'r'}};
    ASSERT_EQ(Esys_HierarchyChangeAuth(link.value()->esys(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                       &password), 0u);
  }
  EXPECT_TRUE(Has(Refusal(WithTpm()), "tpm-owner.password"));
  EXPECT_EQ(DecodeSignerState(Slurp(keys() / "signer.state"), kOrigin).value().counter(), CounterMemory{});
  Spill(keys() / "tpm-owner.password", "owner\n");
  std::filesystem::permissions(keys() / "tpm-owner.password", std::filesystem::perms(0600));
  StartAndStop();
  std::filesystem::remove(keys() / "tpm-owner.password");
  StartAndStop();  // it was needed to make the counter only
}

TEST(TpmName, OnlyTheDeviceAndLocalSocketsAreSpoken) {
  for (const char* good : {"device:/dev/tpm0", "device:/dev/tpmrm0", "swtpm:path=/run/tpm.sock", "swtpm:host=127.0.0.1,port=2321"}) {
    EXPECT_TRUE(CheckTpmName(good)) << good;
  }
  EXPECT_EQ(CheckTpmName("device:/dev/tpmrm0").value(), "/dev/tpmrm0");
  for (const char* bad : {"", "tpmrm0", "device:", "device:/dev/mem", "device:/dev/tpm0/../mem", "cmd:sh -c true", "mssim:",
                          "swtpm:", "swtpm:path=", "swtpm:path=/a b", "swtpm:host=10.0.0.1,port=2321", "swtpm:host=127.0.0.1",
                          "swtpm:host=127.0.0.1,port=", "swtpm:host=127.0.0.1,port=1x", "libtss2-tcti-evil.so:/dev/tpm0"}) {
    const auto checked = CheckTpmName(bad);
    EXPECT_FALSE(checked) << bad;
  }
}

}  // namespace
}  // namespace portcullis::audit::test
