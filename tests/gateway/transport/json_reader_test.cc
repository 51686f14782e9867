// JSON from strangers: one reading or none.
#include "gateway/http/json_reader.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>

namespace portcullis::gateway::http {
namespace {

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonReader, ReadsValues) {
  const auto value = ReadJson(R"({"a":[1,-2,3.5,18446744073709551615,true,null,"\u00e9\ud83d\ude00"],"b":{"a":1}})");
  ASSERT_TRUE(value) << value.error().message;
  const auto& list = value.value().at("a").as_array();
  EXPECT_EQ(list.at(0).as_int64(), 1);
  EXPECT_EQ(list.at(3).as_uint64(), 18446744073709551615u);
  EXPECT_EQ(list.at(6).as_string(), "\xC3\xA9\xF0\x9F\x98\x80");
}

TEST(JsonReader, BoundsDepth) {
  EXPECT_TRUE(ReadJson(Nested(64)));
  const auto deep = ReadJson(Nested(65));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().message.find("nested too deeply"), std::string::npos);
  EXPECT_FALSE(ReadJson(std::string(500'000, '[')));
}

TEST(JsonReader, RefusesRepeatedKeysAtEveryLevel) {
  for (const char* text : {R"({"a":1,"a":2})", R"([{"x":{"k":1,"j":2,"k":3}}])", R"({"a":1,"\u0061":2})",
                           R"({"":1,"":2})"}) {
    const auto value = ReadJson(text);
    ASSERT_FALSE(value) << text;
    EXPECT_NE(value.error().message.find("same key twice"), std::string::npos) << text;
  }
  EXPECT_TRUE(ReadJson(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"));
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const std::string& text :
       {std::string(""), std::string("{"), std::string("nul"), std::string("{} {}"), std::string("[1,]"),
        std::string("{\"a\":1,}"), std::string("// c\n1"), std::string("01"), std::string("1e999"),
        std::string("-1e999"), std::string("NaN"), std::string("\"\x01\""), std::string("\"\xff\""),
        std::string("\"\xc0\xaf\""), std::string("\"\xed\xa0\x80\""), std::string("\"\\ud800\""),
        std::string("\"\\udc00\""), std::string("'a'"), std::string("\xef\xbb\xbf{}"),
        std::string("{}\0", 3), std::string("\"abc")}) {
    const auto value = ReadJson(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Code::kBadRequest) << text;
    EXPECT_NE(value.error().message.find("at byte"), std::string::npos) << text;
  }
}

TEST(JsonReader, SaysWhere) {  // the literal begins at byte 6
  const auto value = ReadJson("{\"a\": tru}");
  ASSERT_FALSE(value);
  EXPECT_NE(value.error().message.find("at byte 6"), std::string::npos) << value.error().message;
}

TEST(JsonReader, BoundsSize) {
  JsonLimits limits;
  limits.bytes = 10;
  EXPECT_TRUE(ReadJson("[1,2,3,45]", limits));
  EXPECT_EQ(ReadJson("[1,2,3,456]", limits).error().code, Code::kTooLarge);
}

TEST(JsonReader, RefusesQuickly) {
  std::string keys = "{";
  for (int i = 0; i < 60'000; ++i) keys += "\"" + std::to_string(i) + "\":1,";
  keys += "\"0\":1}";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(ReadJson(keys));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace portcullis::gateway::http
