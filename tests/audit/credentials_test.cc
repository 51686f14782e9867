// The real portcullis-auditd with K_store and the log key as systemd's credentials.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "tests/audit/fixture.h"
#include "tests/audit/process.h"

namespace portcullis::audit::test {
namespace {

using CredentialsTest = LogTest;

// As under systemd's LoadCredential=: the secrets are in a folder of their own, and not in the keys folder.
TEST_F(CredentialsTest, SecretsComeFromTheCredentialsDirectory) {
  const auto credentials = dir_.path() / "credentials";
  std::filesystem::create_directory(credentials);
  std::filesystem::permissions(credentials, std::filesystem::perms(0500));
  for (const char* name : {"store.key", "log.key"}) {
    std::filesystem::rename(keys() / name, credentials / name);
    std::filesystem::permissions(credentials / name, std::filesystem::perms(0400));
  }
  const std::string store_key = Slurp(credentials / "store.key");
  {
    Auditd without(dir_.path());
    EXPECT_FALSE(without.Ready());
    EXPECT_NE(Slurp(without.words()).find(".key"), std::string::npos);
  }
  ::setenv("CREDENTIALS_DIRECTORY", credentials.c_str(), 1);
  std::vector<Ack> acks;
  for (int round = 0; round < 2; ++round) {
    Auditd auditd(dir_.path());
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    const auto ack = client.value().Append(RequestEvents(static_cast<uint8_t>(round + 1), "alice", "prompt"));
    ASSERT_TRUE(ack) << ack.error().message;
    acks.push_back(ack.value());
    EXPECT_TRUE(client.value().Act("rotate", {}));  // a new salt beside the database, under the same K_store
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0) << Slurp(auditd.words());
  }
  const Report report = Verify(true);  // opens every record: with the key store under that K_store
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_GT(report.decrypted, 3u);
  const std::vector<Hash> hashes = Read().hashes;
  for (const Ack& ack : acks) EXPECT_EQ(hashes.at(ack.seqs[0]), ack.leaf_hashes[0]);
  for (const char* name : {"store.key", "log.key"}) EXPECT_FALSE(std::filesystem::exists(keys() / name));
  EXPECT_EQ(Slurp(credentials / "store.key"), store_key);
}

}  // namespace
}  // namespace portcullis::audit::test
