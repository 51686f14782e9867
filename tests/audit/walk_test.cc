// Paths behind a border: no symbolic link is followed there, whatever is done with the path; in front of it links are
// the administrator's.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "audit/file.h"
#include "audit/walk.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

class WalkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(root() / "own");
    std::filesystem::create_directory(elsewhere());
    Spill(elsewhere() / "file", "theirs");
    std::filesystem::create_directory_symlink(elsewhere(), root() / "link");
    std::filesystem::create_directory_symlink(elsewhere(), root() / "own" / "link");
    std::filesystem::create_symlink(elsewhere() / "file", root() / "own" / "file-link");
    std::filesystem::create_directory_symlink(root(), dir_.path() / "to-root");
    Spill(root() / "own" / "file", "ours");
  }
  std::filesystem::path root() const { return dir_.path() / "root"; }
  std::filesystem::path elsewhere() const { return dir_.path() / "elsewhere"; }

  TempDir dir_;
};

TEST_F(WalkTest, NothingIsDoneThroughALink) {
  for (const auto& folder : {Within(root()) / "link", Within(root()) / "own" / "link"}) {
    const auto refused = [](int result) { return result == -1 && errno == ELOOP; };
    EXPECT_TRUE(refused(OpenPath(folder / "file", O_RDONLY)));
    EXPECT_TRUE(refused(OpenPath(folder / "new", O_WRONLY | O_CREAT, 0600)));
    EXPECT_TRUE(refused(OpenPath(folder, O_RDONLY | O_DIRECTORY)));
    EXPECT_TRUE(refused(MakePath(folder / "new")));
    EXPECT_TRUE(refused(UnlinkPath(folder / "file")));
    EXPECT_TRUE(refused(RenamePath(folder / "file", Within(root()) / "stolen")));
    EXPECT_TRUE(refused(RenamePath(Within(root()) / "own" / "file", folder / "file")));
    EXPECT_FALSE(MakeFolders(folder / "a" / "b"));
    EXPECT_FALSE(MakeFolder(folder));
    EXPECT_FALSE(ListFolder(folder));
    EXPECT_FALSE(ReadFile(folder / "file", 100));
    EXPECT_FALSE(ReplaceFile(folder / "file", "ours now", true));
    EXPECT_FALSE(CreateForAppend(folder / "new"));
    EXPECT_FALSE(LockFile(folder / "lock"));
    RemoveFolder(folder);
    EXPECT_EQ(Slurp(elsewhere() / "file"), "theirs");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(elsewhere()), {}), 1);
  }
  EXPECT_FALSE(ReadFile(Within(root()) / "own" / "file-link", 100));
  EXPECT_EQ(OpenPath(Within(root()) / ".." / "elsewhere" / "file", O_RDONLY), -1);
  const auto words = ReadFile(Within(root()) / "link" / "file", 100).error();
  EXPECT_EQ(words.code, Code::kPermission);
  EXPECT_EQ(words.message, "cannot open `" + (root() / "link" / "file").string() + "`: a symbolic link is in the way");
}

TEST_F(WalkTest, TheFolderThatIsGivenMayLieBehindLinks) {
  const auto given = dir_.path() / "to-root";
  EXPECT_EQ(ReadFile(Within(given) / "own" / "file", 100).value(), "ours");
  EXPECT_FALSE(ReadFile(Within(given) / "own" / "link" / "file", 100));
  EXPECT_EQ(ReadFile(given / "own" / "link" / "file", 100).value(), "theirs");  // without a border, as ever
}

TEST_F(WalkTest, FoldersAreMadeAndRemoved) {
  const auto deep = Within(root()) / "tile" / "0" / "x001";
  ASSERT_TRUE(MakeFolders(deep));
  ASSERT_TRUE(MakeFolders(deep));
  struct stat info {};
  ASSERT_EQ(::stat((root() / "tile" / "0" / "x001").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_TRUE(ReplaceFile(deep / "file", "text", true));
  EXPECT_EQ(ReadFile(deep / "file", 100).value(), "text");
  EXPECT_EQ(ListFolder(deep).value(), std::vector<std::string>{"file"});
  RemoveFolder(deep);
  EXPECT_FALSE(std::filesystem::exists(root() / "tile" / "0" / "x001"));
  EXPECT_TRUE(std::filesystem::exists(root() / "tile" / "0"));
  EXPECT_EQ(ReadFile(deep / "file", 100).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace portcullis::audit::test
