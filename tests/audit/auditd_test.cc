// The real programs: portcullis-auditd under load, killed, full, attacked; portcullis-verify's exits.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "audit/proof.h"
#include "tests/audit/fixture.h"
#include "tests/audit/process.h"

namespace portcullis::audit::test {
namespace {

const std::string kVerify = std::string(PORTCULLIS_BIN_DIR) + "/portcullis-verify";

class AuditdTest : public LogTest {
 protected:
  void ExpectAll(const std::vector<Ack>& acks) const {
    const std::vector<Hash> hashes = Read().hashes;
    for (const Ack& ack : acks) {
      for (size_t i = 0; i < ack.seqs.size(); ++i) {
        ASSERT_LT(ack.seqs[i], hashes.size()) << "an acknowledged record is lost";
        ASSERT_EQ(hashes[ack.seqs[i]], ack.leaf_hashes[i]);
      }
    }
  }
  int VerifyProgram(std::string* output = nullptr) const {
    return RunProgram({kVerify, log().string()}, output);
  }
};

TEST_F(AuditdTest, ServesRecordsAndEndsInOrder) {
  std::vector<Ack> acks;
  {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    auto begun = client.value().Append(RequestEvents(1, "alice", "prompt"));
    ASSERT_TRUE(begun) << begun.error().message;
    const Event response = ResponseEvent(1, begun.value().seqs[0], "alice", "answer");
    auto ended = client.value().Append({&response, 1});
    ASSERT_TRUE(ended) << ended.error().message;
    acks = {begun.value(), ended.value()};
    const auto proof = client.value().GetProof(begun.value().seqs[0]);
    ASSERT_TRUE(proof) << proof.error().message;
    EXPECT_TRUE(VerifyProof(ParseProof(proof.value().text).value(), begun.value().leaf_hashes[0],
                            ReadLogKey(log()).value()));
    const auto status = client.value().GetStatus();
    ASSERT_TRUE(status);
    EXPECT_TRUE(status.value().writable);
    EXPECT_EQ(status.value().origin, "test.example/audit");
    EXPECT_GT(status.value().disk_free, 0u);
    const Event internal = MakeEvent(Kind::kStop);
    EXPECT_FALSE(client.value().Append({&internal, 1}));
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0) << Slurp(auditd.words());
  }
  ExpectAll(acks);
  std::string output;
  EXPECT_EQ(VerifyProgram(&output), 0);
  EXPECT_TRUE(output.starts_with("VALID-SELF-ATTESTED\n")) << output;
  const std::string words = Slurp(dir_.path() / "auditd.log");
  EXPECT_EQ(words.find("prompt"), std::string::npos);
  EXPECT_EQ(words.find("alice"), std::string::npos);
}

TEST_F(AuditdTest, Case32KilledUnderLoadKeepsEveryAcknowledgedRecord) {
  std::mutex mutex;
  std::vector<Ack> acks;
  for (int round = 0; round < 4; ++round) {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    std::atomic<int> answered = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        auto client = auditd.Connect();
        if (!client) return;
        for (;;) {
          const auto id = static_cast<uint8_t>(t + 1);
          auto begun = client.value().Append(RequestEvents(id, "user" + std::to_string(t), std::string(2000, 'p')));
          if (!begun) return;
          const Event response = ResponseEvent(id, begun.value().seqs[0], "user" + std::to_string(t), "a");
          auto ended = client.value().Append({&response, 1});
          const std::lock_guard guard(mutex);
          acks.push_back(begun.value());
          if (!ended) return;
          acks.push_back(ended.value());
          ++answered;
        }
      });
    }
    while (answered < 40) std::this_thread::yield();
    auditd.Kill(SIGKILL);
    EXPECT_EQ(auditd.Wait(), 128 + SIGKILL);
    for (std::thread& thread : threads) thread.join();
  }
  {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0);
  }
  ExpectAll(acks);
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidWithRecovery) << ReportText(Verify(true));
  EXPECT_EQ(VerifyProgram(), 0);
}

TEST_F(AuditdTest, KilledWhilePartsAreShreddedEveryToldOneIsGoneAndTheRestOpens) {
  std::vector<uint64_t> seqs;
  uint64_t told = 0;
  for (int round = 0; round < 4; ++round) {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    for (int i = 0; i < 12; ++i) {
      Event event = MakeEvent(Kind::kAdmin);
      event.subject = "user" + std::to_string(i % 3);
      event.parts = {{PartType::kPrompt, "a prompt"}, {PartType::kAnswer, "an answer"}};
      const auto ack = client.value().Append({&event, 1});
      ASSERT_TRUE(ack) << ack.error().message;
      seqs.push_back(ack.value().seqs[0]);
    }
    std::atomic<int> answered = 0;
    std::atomic<bool> failed = false;
    std::thread shredder([&] {
      for (size_t i = seqs.size() - 12; i < seqs.size(); ++i) {
        if (!client.value().Act("shred", {{"record", std::to_string(seqs[i])}, {"part", "answer"}, {"reason", "x"}})) {
          failed = true;
          return;
        }
        ++answered;
      }
    });
    while (answered < 2 + round && !failed) std::this_thread::yield();
    EXPECT_GE(answered, 2 + round) << "a part was not shredded, and nobody had killed auditd";
    auditd.Kill(SIGKILL);
    EXPECT_EQ(auditd.Wait(), 128 + SIGKILL);
    shredder.join();
    told += static_cast<uint64_t>(answered);
  }
  {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0);
  }
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidWithRecovery) << ReportText(report);
  EXPECT_GE(report.shredded, told);
  EXPECT_EQ(VerifyProgram(), 0);
}

TEST_F(AuditdTest, Case31AFileSizeLimitIsARefusalNotALoss) {
  std::vector<Ack> acks;
  bool refused = false;
  {
    Auditd auditd(dir_.path(), {}, 1'200'000);
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    for (int i = 0; i < 200 && !refused; ++i) {
      Event event = MakeEvent(Kind::kAdmin);
      event.parts = {{PartType::kMetadata, std::string(50'000, 'x')}};
      auto ack = client.value().Append({&event, 1});
      if (ack) {
        acks.push_back(ack.value());
      } else {
        refused = true;
        EXPECT_EQ(ack.error().code, Code::kDiskLow) << ack.error().message;
      }
    }
    EXPECT_TRUE(refused);
    const Event small = MakeEvent(Kind::kAdmin);  // what fits is still taken
    auto ack = client.value().Append({&small, 1});
    ASSERT_TRUE(ack) << ack.error().message;
    acks.push_back(ack.value());
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0);
  }
  EXPECT_GT(acks.size(), 5u);
  ExpectAll(acks);
  EXPECT_EQ(VerifyProgram(), 0);
}

TEST_F(AuditdTest, Case31AFullTmpfsIsARefusalNotALoss) {
  const auto mounted = dir_.path() / "small";
  std::filesystem::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=3m") != 0) {
    GTEST_SKIP() << "mounting a tmpfs needs root; the file size limit test covers the refusal";
  }
  std::vector<Ack> acks;
  bool refused = false;
  std::filesystem::copy(log(), mounted / "audit", std::filesystem::copy_options::recursive);
  std::filesystem::copy(keys(), mounted / "keys", std::filesystem::copy_options::recursive);
  {
    Auditd auditd(mounted, {"--min-free-bytes", "0"});
    const auto ready = auditd.Ready();
    EXPECT_TRUE(ready) << Slurp(auditd.words());
    auto client = auditd.Connect();
    for (int i = 0; client && i < 200 && !refused; ++i) {
      Event event = MakeEvent(Kind::kAdmin);
      event.parts = {{PartType::kMetadata, std::string(60'000, 'x')}};
      auto ack = client.value().Append({&event, 1});
      if (ack) acks.push_back(ack.value());
      refused = !ack;
      if (refused) {
        EXPECT_EQ(ack.error().code, Code::kDiskLow) << ack.error().message;
      }
    }
    EXPECT_TRUE(refused);
    EXPECT_FALSE(client && client.value().GetStatus().value().writable);
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0) << Slurp(auditd.words());
  }
  VerifyOptions options;
  options.log_folder = mounted / "audit";
  const Report report = VerifyLog(options);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_GT(acks.size(), 3u);
  EXPECT_GE(report.records, acks.size());
  ::umount(mounted.c_str());
}

TEST_F(AuditdTest, GarbageDropsTheConnectionNotTheProcess) {
  Auditd auditd(dir_.path());
  ASSERT_TRUE(auditd.Ready());
  for (int i = 0; i < 20; ++i) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = auditd.socket().string();
    std::copy(path.begin(), path.end(), address.sun_path);
    ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string garbage(1000, static_cast<char>(i * 13 + 1));
    EXPECT_EQ(::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL), 1000);
    std::array<char, 64> reply;
    EXPECT_LE(::recv(fd, reply.data(), reply.size(), 0), 0);  // dropped
    ::close(fd);
  }
  auto client = auditd.Connect();
  const Event event = MakeEvent(Kind::kAdmin);
  EXPECT_TRUE(client.value().Append({&event, 1}));
}

TEST_F(AuditdTest, WrongStartsAreExplained) {
  const std::string program = std::string(PORTCULLIS_BIN_DIR) + "/portcullis-auditd";
  EXPECT_NE(RunProgram({program, "--log", "/nonexistent", "--keys", "/nonexistent", "--socket", "/nonexistent/s"}), 0);
  Auditd first(dir_.path());
  ASSERT_TRUE(first.Ready());
  EXPECT_EQ(RunProgram({program, "--log", log().string(), "--keys", keys().string(), "--socket",
                        (dir_.path() / "other.sock").string()}),
            1);  // two writers
  std::filesystem::permissions(keys() / "log.key", std::filesystem::perms(0644));
  first.Kill(SIGKILL);
  first.Wait();
  Auditd readable(dir_.path());
  EXPECT_FALSE(readable.Ready());
  EXPECT_NE(Slurp(readable.words()).find("chmod 600"), std::string::npos);
}

TEST_F(AuditdTest, TheVerifyProgramsExits) {
  MakeLog(1);
  EXPECT_EQ(VerifyProgram(), 0);
  EXPECT_EQ(RunProgram({kVerify}), 1);
  EXPECT_EQ(RunProgram({kVerify, "--wrong"}), 1);
  EXPECT_EQ(RunProgram({kVerify, "/nonexistent"}), 3);
  EXPECT_EQ(RunProgram({kVerify, log().string(), "--key", (log() / "log.pub").string()}), 0);
  std::string output;
  EXPECT_EQ(RunProgram({kVerify, log().string(), "--auditor-key", auditor().string(), "--keys",
                        keys().string(), "--json"},
                       &output),
            0);
  EXPECT_NE(output.find("\"decrypted\":3"), std::string::npos) << output;
  std::string bad = Slurp(segment());
  bad[bad.size() - 1] = static_cast<char>(bad[bad.size() - 1] ^ 1);
  Spill(segment(), bad);
  output.clear();
  EXPECT_EQ(VerifyProgram(&output), 3);
  EXPECT_NE(output.find("first bad seq: "), std::string::npos) << output;
}

// What the sandbox forbids cannot be asked of the process from outside, but the kernel tells.
TEST_F(AuditdTest, TheSandboxIsInForce) {
#ifdef PORTCULLIS_SANITIZED
  GTEST_SKIP() << "sanitized builds run without the sandbox";
#endif
  Auditd auditd(dir_.path());
  ASSERT_TRUE(auditd.Ready());
  const std::string status = Slurp("/proc/" + std::to_string(auditd.pid()) + "/status");
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  const std::string limits = Slurp("/proc/" + std::to_string(auditd.pid()) + "/limits");
  EXPECT_NE(limits.find("Max core file size        0"), std::string::npos) << limits;
}

}  // namespace
}  // namespace portcullis::audit::test
