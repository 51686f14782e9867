#include "gateway/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace portcullis::gateway {
namespace {

constexpr const char* kGood = R"(
audit_socket = "a.sock"
state = "s.db"
pepper = "p"
policy = "pol"
[api]
certificate = "c.pem"
key = "k.pem"
[[site]]
id = "builtin"
socket = "e.sock"
)";

Result<Config> Load(const std::string& text) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("portcullis-config-" + std::to_string(::getpid()) + ".toml");
  std::ofstream(file) << text;
  auto config = LoadConfig(file);
  std::filesystem::remove(file);
  return config;
}

TEST(Config, TakesPathsFromItsOwnFolder) {
  auto config = Load(kGood);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config.value().state, std::filesystem::temp_directory_path() / "s.db");
  EXPECT_EQ(config.value().sites.at(0).id, "builtin");
}

TEST(Config, RefusesWhatItDoesNotUnderstandAndSaysWhere) {
  const std::pair<std::string, std::string> cases[] = {
      {"zone = 7\n" + std::string(kGood), ":1: `zone` must be a string"},
      {std::string(kGood) + "sockett = \"x\"\n", ": unknown key `site.sockett`"},
      {std::string(kGood) + "[limits]\nrunning = 0\n", "`limits.running` must be a number from 1"},
      {std::string(kGood) + "[limits]\nruning = 3\n", "unknown key `limits.runing`"},
      {std::string(kGood) + "[admin]\ncertificate=\"c\"\nkey=\"k\"\n", "`admin.client_ca"},
      {"audit_socket = \"a\"\n", "is missing"},
      {"audit_socket = ", ":1: "},
      {std::string(kGood) + "[limits]\nmax_tokens_default = 100\nmax_tokens_limit = 10\n",
       "is above `limits.max_tokens_limit`"},
  };
  for (const auto& [text, words] : cases) {
    auto config = Load(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, Code::kConfig);
    EXPECT_NE(config.error().message.find(words), std::string::npos) << config.error().message;
  }
}

}  // namespace
}  // namespace portcullis::gateway
