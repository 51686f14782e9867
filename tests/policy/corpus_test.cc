// The sample of Cedar's public conformance corpus: decision, reasons, errors and the verdict of
// validation must all be identical, with and without the schema, and in every form of the texts.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "policy/cedar/batch.h"
#include "policy/cedar/folder.h"
#include "policy/cedar/format.h"
#include "policy/cedar/json.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/schema_write.h"
#include "policy/cedar/validate.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

namespace fs = std::filesystem;

class Corpus : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path archive = fs::path(PORTCULLIS_SHARED_DATA) / "cedar" / "corpus-sample.tar.gz";
    if (!fs::exists(archive)) GTEST_SKIP() << "the corpus sample is not here: " << archive;
    std::string pattern = (fs::temp_directory_path() / "cedar-corpus-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    const std::string command = "tar -xzf '" + archive.string() + "' -C '" + dir_.string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
    for (const fs::directory_entry& entry : fs::directory_iterator(dir_ / "corpus-tests")) {
      const std::string name = entry.path().string();
      if (name.ends_with(".json") && !name.ends_with(".entities.json")) {
        cases_.push_back(name.substr(0, name.size() - 5));
      }
    }
    ASSERT_GE(cases_.size(), 500u);
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
  }
  static std::string Read(const std::string& path) { return ReadTextFile(path, 1u << 24).value(); }
  static std::vector<std::string> Strings(const Json& list) {
    std::vector<std::string> out;
    for (const Json& item : list.items) out.push_back(item.string);
    return out;
  }

  void Compare(bool with_schema) {
    size_t requests = 0;
    for (const std::string& name : cases_) {
      const PolicySet policies = PolicySet::Parse(Read(name + ".cedar"), name).value();
      const Schema schema = Schema::Parse(Read(name + ".cedarschema"), name).value();
      const Schema* used = with_schema ? &schema : nullptr;
      const Result<Entities> entities =
          Entities::ParseJson(Read(name + ".entities.json"), used, name);
      ASSERT_TRUE(entities) << entities.error().message;
      const Json document = ParseJson(Read(name + ".json"), name).value();
      for (const Json& expected : document.Find("requests")->items) {
        const Result<Request> request = RequestFromJson(expected, used);
        ASSERT_TRUE(request) << name << ": " << request.error().message;
        const Response response = Authorize(policies, entities.value(), request.value());
        EXPECT_EQ(response.allow, expected.Find("decision")->string == "allow") << name;
        EXPECT_EQ(response.reasons, Strings(*expected.Find("reason"))) << name;
        EXPECT_EQ(response.errors, Strings(*expected.Find("errors"))) << name;
        ++requests;
      }
    }
    EXPECT_EQ(requests, cases_.size() * 8);
  }

  fs::path dir_;
  std::vector<std::string> cases_;
};

TEST_F(Corpus, Authorizes) { Compare(false); }

TEST_F(Corpus, AuthorizesWithTheSchema) { Compare(true); }

TEST_F(Corpus, Validates) {
  for (const std::string& name : cases_) {
    const PolicySet policies = PolicySet::Parse(Read(name + ".cedar"), name).value();
    const Schema schema = Schema::Parse(Read(name + ".cedarschema"), name).value();
    const Json document = ParseJson(Read(name + ".json"), name).value();
    const Findings findings = Validate(policies, schema);
    EXPECT_EQ(findings.errors.empty(), document.Find("shouldValidate")->boolean)
        << name << (findings.errors.empty() ? "" : findings.errors[0].message);
  }
}

TEST_F(Corpus, EveryFormMeansTheSame) {
  for (const std::string& name : cases_) {
    const std::string text = Read(name + ".cedar");
    const PolicySet policies = PolicySet::Parse(text, name).value();
    const std::string json = ToJson(policies);
    const Result<PolicySet> from_json = PolicySet::ParseJson(json, name);
    ASSERT_TRUE(from_json) << from_json.error().message;
    EXPECT_EQ(ToJson(from_json.value()), json) << name;
    const Result<std::string> formatted = FormatPolicies(text, name);
    ASSERT_TRUE(formatted) << formatted.error().message;

    const WrittenSchema written = ReadSchemaText(Read(name + ".cedarschema"), name).value();
    const Result<Schema> schema = Schema::ParseAny(SchemaJson(written), name);
    ASSERT_TRUE(schema) << schema.error().message;
    const Json document = ParseJson(Read(name + ".json"), name).value();
    EXPECT_EQ(Validate(from_json.value(), schema.value()).errors.empty(),
              document.Find("shouldValidate")->boolean)
        << name;
    const Result<std::string> syntax = SchemaText(written);
    ASSERT_TRUE(syntax) << syntax.error().message;
    EXPECT_EQ(SchemaJson(ReadSchemaText(syntax.value(), name).value()), SchemaJson(written));
  }
}

}  // namespace
}  // namespace portcullis::policy::cedar
