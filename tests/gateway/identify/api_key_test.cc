#include "gateway/identify/api_key.h"

#include <set>

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

TEST(ApiKey, HasOneForm) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const certs::SecretBytes token = GenerateApiKey();
    ASSERT_EQ(token.size(), kApiKeyLength);
    ASSERT_TRUE(IsWellFormedApiKey(View(token)));
    ASSERT_TRUE(seen.emplace(View(token)).second);
  }
}

TEST(ApiKey, UsesTheWholeAlphabet) {
  std::set<char> digits;
  std::set<char> first;
  for (int i = 0; i < 2000; ++i) {
    const certs::SecretBytes token = GenerateApiKey();
    const std::string_view body = View(token).substr(3, 43);
    digits.insert(body.begin(), body.end());
    first.insert(body[0]);
  }
  EXPECT_EQ(digits.size(), 62u);
  // 2^256 / 62^42 = 60.7: the leading digit is anything but the last one.
  EXPECT_EQ(first.size(), 61u);
  EXPECT_FALSE(first.contains('z'));
}

TEST(ApiKey, ChecksumCatchesEverySingleChange) {
  const certs::SecretBytes secret = GenerateApiKey();
  const std::string token(View(secret));
  for (size_t i = 0; i < token.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = token;
      changed[i] = static_cast<char>(c);
      ASSERT_EQ(IsWellFormedApiKey(changed), changed == token) << i << " " << c;
    }
  }
  EXPECT_FALSE(IsWellFormedApiKey(token + "0"));
  EXPECT_FALSE(IsWellFormedApiKey(token.substr(0, 51)));
  EXPECT_FALSE(IsWellFormedApiKey(""));
}

TEST(KeyHasher, DependsOnPepperAndEveryCharacter) {
  World world;
  const KeyHasher other = KeyHasher::Create(certs::SecretBytes::Random(kPepperLength)).value();
  const std::string token(52, 'a');
  EXPECT_EQ(world.hasher.Hash(token), world.hasher.Hash(token));
  EXPECT_NE(world.hasher.Hash(token), other.Hash(token));
  EXPECT_NE(world.hasher.Hash(token), world.hasher.Hash(token.substr(0, 51)));
  std::string last = token;
  last.back() = 'b';
  EXPECT_NE(world.hasher.Hash(token), world.hasher.Hash(last));
}

TEST(KeyHasher, MakesAndKeepsItsFile) {
  TempDir dir;
  const std::string path = dir / "pepper";
  const auto first = KeyHasher::FromFile(path);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = KeyHasher::FromFile(path);
  ASSERT_TRUE(second);
  EXPECT_EQ(first.value().Hash("x"), second.value().Hash("x"));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  ::chmod(path.c_str(), 0644);
  const auto open = KeyHasher::FromFile(path);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, Code::kConfig);
  EXPECT_FALSE(KeyHasher::Create(certs::SecretBytes::Random(16)));
}

}  // namespace
}  // namespace portcullis::gateway
