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
      {std::string(kGood) + "[[officer]]\nid = \"olga\"\nmay = [\"approve\"]\n",
       "[[officer]] has no effect without `revisions`"},
      {"revisions = \"p.db\"\n" + std::string(kGood), "`policy_key"},
      {std::string(kGood) + "processing = \"FR\"\n", "`site.storage` is missing"},
      {std::string(kGood) + "dpa_signed = true\n", "`site.processing` is missing"},
      {std::string(kGood) + "[[network]]\nrange = \"10.0.0.0/33\"\n", "network.range: `10.0.0.0/33`"},
      {std::string(kGood) + "[[place]]\nin = [\"EEA\"]\n", "`place.id` is missing"},
      {std::string(kGood) + "[probation]\nminutes = 0\n", "`probation.minutes` must be a number"},
  };
  for (const auto& [text, words] : cases) {
    auto config = Load(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, Code::kConfig);
    EXPECT_NE(config.error().message.find(words), std::string::npos) << config.error().message;
  }
}

TEST(Config, ReadsOfficersSitesPlacesAndNetworks) {
  const auto config = Load(
      "revisions = \"p.db\"\npolicy_key = \"k\"\n" + std::string(kGood) +
      "processing = \"FR\"\nstorage = \"FR\"\noperator = \"US\"\nkey_holder = \"FR\"\n"
      "model_origin = \"CN\"\non_prem = true\npools = [\"local\"]\n"
      "[[officer]]\nid = \"olga\"\nkey = \"olga.pub\"\nmay = [\"propose\", \"approve\"]\n"
      "[[place]]\nid = \"local\"\nin = [\"DE\"]\n"
      "[[network]]\nrange = \"10.20.0.0/16\"\ngovernment = true\n"
      "[probation]\nminutes = 5\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config.value().sites.at(0).facts->operator_law, "US");
  EXPECT_EQ(config.value().officers.at(0).may.size(), 2u);
  EXPECT_EQ(config.value().jurisdictions.at(0).in, std::vector<std::string>{"DE"});
  EXPECT_TRUE(config.value().networks.at(0).government);
  EXPECT_EQ(config.value().probation.minutes, 5u);
}

}  // namespace
}  // namespace portcullis::gateway
