// What a person sees and gets: files that appear whole and replace nothing, and the line of progress.

#include <gtest/gtest.h>

#include <sys/stat.h>

#include "audit/new_file.h"
#include "audit/progress.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

size_t Entries(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(NewFile, AppearsWholeForItsOwnerAlone) {
  const TempDir dir;
  const auto path = dir.path() / "out";
  const mode_t old_mask = ::umask(0);
  auto file = NewFile::Create(path);
  ::umask(old_mask);
  ASSERT_TRUE(file) << file.error().message;
  const std::string much(3u << 20, 'x');
  file.value().Write(much);
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(file.value().Finish());
  EXPECT_EQ(Slurp(path), much);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(Entries(dir.path()), 1u);
}

TEST(NewFile, LeavesNothingWhenItIsNotFinished) {
  const TempDir dir;
  {
    auto file = NewFile::Create(dir.path() / "out");
    ASSERT_TRUE(file);
    file.value().Write(std::string(2u << 20, 'x'));
    EXPECT_EQ(Entries(dir.path()), 1u);
  }
  EXPECT_EQ(Entries(dir.path()), 0u);
}

TEST(NewFile, ReplacesNothingAndFollowsNoLink) {
  const TempDir dir;
  Spill(dir.path() / "theirs", "theirs");
  std::filesystem::create_symlink(dir.path() / "theirs", dir.path() / "link");
  std::filesystem::create_symlink(dir.path() / "nowhere", dir.path() / "dangling");
  for (const char* name : {"theirs", "link", "dangling"}) {
    const auto refused = WriteNewFile(dir.path() / name, "ours");
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kExists);
    EXPECT_NE(refused.error().message.find(name), std::string::npos) << refused.error().message;
  }
  // One that comes while ours is written wins, too.
  auto file = NewFile::Create(dir.path() / "late");
  ASSERT_TRUE(file);
  file.value().Write("ours");
  Spill(dir.path() / "late", "theirs");
  const auto late = file.value().Finish();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kExists);
  EXPECT_EQ(Slurp(dir.path() / "late"), "theirs");
  EXPECT_EQ(Slurp(dir.path() / "theirs"), "theirs");
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "nowhere"));
}

TEST(Progress, SaysShareRateAndTimeLeft) {
  const auto line = [](uint64_t done, uint64_t total, uint64_t count, double seconds) {
    return ProgressLine("verify", done, total, "records", count, seconds);
  };
  EXPECT_EQ(line(25, 100, 5000, 10), "verify 25 % [#####...............] 5000 records, 500/s, 0:30 left");
  EXPECT_EQ(line(100, 100, 5000, 100), "verify 100 % [####################] 5000 records, 50/s, 0:00 left");
  EXPECT_EQ(line(200, 100, 5000, 100), line(100, 100, 5000, 100));  // a log that grew
  EXPECT_EQ(line(7, 0, 70, 70), "verify 70 records, 1/s, 1:10");
  EXPECT_EQ(line(1, 4, 1, 0.1), "verify 25 % [#####...............] 1 records");
}

TEST(Progress, NobodyIsAskedToReportWhereNobodyLooks) {
  if (Progress::OnTerminal()) GTEST_SKIP() << "standard error is a terminal";
  EXPECT_FALSE(Progress("verify", 10).Sink());
}

}  // namespace
}  // namespace portcullis::audit::test
