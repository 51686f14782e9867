// The fixture of the numbered cases: a log with a witness, acts on a writer, snapshots of the machine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <string>

#include "audit/cosignature.h"
#include "audit/witness.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {

inline const std::string kOrigin = "test.example/audit";
inline constexpr uint64_t kNow = 1'790'000'000;

class CasesTest : public LogTest {
 protected:
  void SetUp() override {
    LogTest::SetUp();
    ASSERT_TRUE(MakeWitnessKey(dir_.path() / "witness.key", "witness.example/w1"));
    std::filesystem::copy(dir_.path() / "witness.key.pub", keys() / "witnesses.pub");
  }
  Witness OpenWitness(const std::string& state = "witness") const {
    auto key = LoadWitnessKey(dir_.path() / "witness.key");
    EXPECT_TRUE(key) << key.error().message;
    auto witness = Witness::Open(key.value().key, std::move(key.value().secret), dir_.path() / state,
                                 {ReadLogKey(log()).value()});
    EXPECT_TRUE(witness) << witness.error().message;
    return std::move(witness.value());
  }
  static Result<std::string> Act(Writer& writer, const std::string& name,
                                 std::map<std::string, std::string> arguments) {
    std::promise<ActReply> done;
    writer.SubmitAct({1, name, std::move(arguments)}, 1000, [&](ActReply reply) { done.set_value(std::move(reply)); });
    const ActReply reply = done.get_future().get();
    if (reply.error_code != 0) return Error{static_cast<Code>(reply.error_code), reply.error};
    return reply.text;
  }
  // Has the writer's log cosigned from what the witness has seen on.
  Result<std::string> CosignLog(Writer& writer, Witness& witness, uint64_t old_size) const {
    BOOST_OUTCOME_TRY(const std::string request, Act(writer, "witness-request", {{"old", std::to_string(old_size)}}));
    const WitnessReply reply = witness.Add(request, kNow);
    if (reply.status != 200) return Error{Code::kIo, std::to_string(reply.status) + " " + reply.body};
    return Act(writer, "witness-attach", {{"note", ParseAddCheckpoint(request).value().checkpoint + reply.body}});
  }
  Report VerifyWitnessed() const {
    VerifyOptions options;
    options.log_folder = log();
    options.witnesses = {ReadVerifierKey(dir_.path() / "witness.key.pub").value()};
    return VerifyLog(options);
  }
  void Snapshot(const std::string& name) const {
    std::filesystem::create_directory(dir_.path() / name);
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::copy(dir_.path() / folder, dir_.path() / name / folder,
                            std::filesystem::copy_options::recursive);
    }
  }
  void PutBack(const std::string& name) const {
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::remove_all(dir_.path() / folder);
      std::filesystem::copy(dir_.path() / name / folder, dir_.path() / folder,
                            std::filesystem::copy_options::recursive);
    }
  }
  uint64_t Count(Kind kind, uint16_t outcome) const {
    const Collector records = Read();
    return static_cast<uint64_t>(std::count_if(records.leaves.begin(), records.leaves.end(), [&](const Leaf& leaf) {
      return leaf.kind == kind && leaf.outcome == outcome;
    }));
  }
  Report VerifyKeys(SubjectKeySource* source, const certs::SecretBytes& secret) const {
    VerifyOptions options;
    options.log_folder = log();
    options.keys = source;
    options.auditor_secrets = {&secret};
    return VerifyLog(options);
  }
};

}  // namespace portcullis::audit::test
