// References within a schema: URIs, anchors, dynamic ones; and multiples of decimal numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "tests/inference/compiled_schema.h"

namespace portcullis::inference {
namespace {

using testing::HasSubstr;

Compiled Of(std::string_view schema) { return Compiled(boost::json::parse(schema)); }

void Check(std::string_view schema, std::initializer_list<std::string_view> good,
           std::initializer_list<std::string_view> bad) {
  const Compiled made = Of(schema);
  ASSERT_EQ(made.refusal, "") << schema;
  for (const auto text : good) EXPECT_TRUE(made.Takes(text)) << schema << " " << text;
  for (const auto text : bad) EXPECT_FALSE(made.Takes(text)) << schema << " " << text;
}

void CheckRefused(std::string_view schema, std::string_view place, std::string_view why) {
  EXPECT_THAT(Of(schema).refusal,
              testing::AllOf(HasSubstr("`" + std::string(place) + "`"), HasSubstr(std::string(why))))
      << schema;
}

TEST(SchemaReferences, AnchorsAreNames) {
  Check(R"({"$ref":"#a","$defs":{"x":{"$anchor":"a","type":"integer"}}})", {"1"}, {"true"});
  Check(R"({"$id":"https://e.org/s","$ref":"https://e.org/s#a","$defs":{"x":{"$anchor":"a","type":"null"}}})", {"null"},
        {"1"});
  Check(R"({"$ref":"#d7","definitions":{"x":{"$id":"#d7","type":"null"}}})", {"null"}, {"1"});
  Check(R"({"type":"array","items":{"$ref":"#t"},"$defs":{"x":{"$anchor":"t","anyOf":[{"type":"null"},
           {"type":"array","items":{"$ref":"#t"}}]}}})", {"[null, [null]]"}, {"[1]", "null"});
  // Names of properties and listed values are no keywords.
  Check(R"({"type":"object","properties":{"$anchor":{"const":"b"},"$id":{"const":"c"},"$ref":{"type":"null"}},
           "required":["$ref"]})", {R"({"$ref": null})"}, {R"({"$ref": 1})"});
  Check(R"({"enum":[{"$anchor":"a"}],"$defs":{"x":{"$anchor":"a"}}})", {R"({"$anchor":"a"})"}, {});
  CheckRefused(R"({"$ref":"#b","$defs":{"x":{"$anchor":"a"}}})", "#/$ref", "points to nothing");
  CheckRefused(R"({"$defs":{"x":{"$anchor":"a"},"y":{"$anchor":"a"}}})", "#/$defs/y", "two places");
}

TEST(SchemaReferences, IdsAreBasesOfWhatStandsInThem) {
  constexpr std::string_view kSchema = R"({"$id":"https://e.org/a/root","$ref":"item","$defs":{
      "one":{"$id":"item","type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{"type":"boolean"}}},
      "x":{"type":"null"}}})";
  Check(kSchema, {"[true]"}, {"[null]", "null"});
  for (const char* reference : {"https://e.org/a/item", "//e.org/a/item", "/a/item", "./item", "../a/./item", "item#",
                                "b/../item", "#/$defs/one", "../../a/item", "/b/../a/item"}) {
    boost::json::value schema = boost::json::parse(kSchema);
    schema.as_object()["$ref"] = reference;
    const Compiled made(schema);
    EXPECT_EQ(made.refusal, "") << reference;
    EXPECT_TRUE(made.Takes("[true]")) << reference;
  }
  Check(R"({"$ref":"urn:example:x#/$defs/y","$defs":{"s":{"$id":"urn:example:x","$defs":{"y":{"type":"null"}}}}})",
        {"null"}, {"1"});
  Check(R"({"$id":"s?v=1","$ref":"?v=2","$defs":{"s":{"$id":"s?v=2","type":"null"}}})", {"null"}, {"1"});
  Check(R"({"$ref":"#/$defs/a%20b~1c","$defs":{"a b/c":{"type":"null"}}})", {"null"}, {"1"});
  // Another document, however it is called, is not fetched.
  for (const char* foreign : {"https://e.org/a/other", "other", "https://json-schema.org/draft/2020-12/schema"}) {
    boost::json::value schema = boost::json::parse(kSchema);
    schema.as_object()["$ref"] = foreign;
    EXPECT_THAT(Compiled(schema).refusal,
                testing::AllOf(HasSubstr("`#/$ref`"), HasSubstr("`" + std::string(foreign) + "`")));
  }
  CheckRefused(R"({"$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}})", "#/$defs/b", "two places");
  // A pointer counts from the schema with the `$id`, and finds nothing elsewhere.
  CheckRefused(R"({"$ref":"#/$defs/a","$defs":{"a":{"$id":"a","$ref":"#/$defs/b"},"b":{"type":"null"}}})",
               "#/$defs/a/$ref", "points to nothing");
}

TEST(SchemaReferences, AReferenceKeepsItsMeaningWhereItIsCopied) {
  Check(R"({"$id":"https://e.org/","$ref":"in","$defs":{"in":{"$id":"in","type":"object",
           "properties":{"a":{"not":{"$ref":"#n"}},"b":{"if":{"$ref":"#n"},"then":{"const":"x"},"else":{"const":1}}},
           "$defs":{"n":{"$anchor":"n","type":"string"}}}}})",
        {R"({"a": 5})", R"({"b": 1})", R"({"b": "x"})"}, {R"({"a": "s"})", R"({"b": 2})", R"({"b": "y"})"});
}

TEST(SchemaReferences, DynamicOnesWhereOnePlaceIsMeant) {
  // The tree of the specification's appendix: what refers to the tree's node means the strict one.
  constexpr std::string_view kTree = R"({"$id":"https://e.org/strict","$dynamicAnchor":"node","$ref":"tree",
      "unevaluatedProperties":false,"$defs":{"t":{"$id":"tree","$dynamicAnchor":"node","type":"object",
      "properties":{"data":{"type":"integer"},"children":{"type":"array","items":{"$dynamicRef":"#node"}}}}}})";
  Check(kTree, {R"({"data": 1, "children": [{"data": 2}]})"}, {R"({"children": [{"daat": 2}]})", R"({"data": "x"})"});
  Check(R"({"$dynamicRef":"#a","$defs":{"x":{"$anchor":"a","type":"null"}}})", {"null"}, {"1"});
  Check(R"({"$dynamicRef":"#a","$defs":{"x":{"$dynamicAnchor":"a","type":"null"}}})", {"null"}, {"1"});
  Check(R"({"$dynamicRef":"#/$defs/x","$defs":{"x":{"type":"null"}}})", {"null"}, {"1"});
  Check(R"({"$ref":"#/$defs/x","$dynamicRef":"#a","allOf":[{"type":["integer","null"]}],
           "$defs":{"x":{"type":["null","string"]},"y":{"$dynamicAnchor":"a","type":["null","integer"]}}})",
        {"null"}, {"1", "\"x\""});
  // Two that no `$id` tells apart beforehand: it depends on the way.
  CheckRefused(R"({"anyOf":[{"$ref":"one"},{"$ref":"two"}],"$defs":{
                   "l":{"$id":"list","type":"array","items":{"$dynamicRef":"#i"},"$defs":{"i":{"$dynamicAnchor":"i"}}},
                   "a":{"$id":"one","$ref":"list","$defs":{"i":{"$dynamicAnchor":"i","type":"null"}}},
                   "b":{"$id":"two","$ref":"list","$defs":{"i":{"$dynamicAnchor":"i","type":"integer"}}}}})",
               "#/$defs/l/items/$dynamicRef", "no one place");
  // The same where a listed value would only be judged by it.
  EXPECT_THAT(Of(R"({"enum":[{"x":1}],"properties":{"x":{"$dynamicRef":"a#m"}},"$defs":{
                     "a":{"$id":"a","$dynamicAnchor":"m","type":"string"},"b":{"$id":"b","$dynamicAnchor":"m","type":"null"}}})")
                  .refusal,
              HasSubstr("no finite value"));
  EXPECT_THAT(Of(R"({"enum":[{"x":1}],"properties":{"x":{"$recursiveRef":"#"}}})").refusal, HasSubstr("no finite value"));
  CheckRefused(R"({"$dynamicRef":"#nowhere"})", "#/$dynamicRef", "no one place");
}

TEST(SchemaReferences, HostileOnesArePaidFor) {
  // A long name in many references, and a long base under many.
  boost::json::array references;
  for (int i = 0; i < 10'000; ++i) references.push_back(boost::json::object{{"$ref", "#a"}});
  const std::string name(4000, 'n');
  EXPECT_THAT(Compiled(boost::json::value{{"anyOf", references},
                                          {"$defs", boost::json::object{{name, {{"$anchor", "a"}}}}}})
                  .refusal,
              HasSubstr("too long to compile"));
  EXPECT_THAT(Compiled(boost::json::value{{"anyOf", references}, {"$id", "https://e.org/" + name}}).refusal,
              HasSubstr("too long to compile"));
  std::string up = "a";
  for (int i = 0; i < 20'000; ++i) up += "/..";
  EXPECT_THAT(Compiled(boost::json::value{{"$id", up}, {"$ref", up}}).refusal, HasSubstr("refers to itself"));
}

TEST(Multiples, OfDecimalNumbers) {
  Check(R"({"type":"number","multipleOf":0.5})", {"0", "1", "1.5", "-0.5", "12345678901234.5"},
        {"0.25", "1.2", "0.55", "-0", "-1.7"});
  Check(R"({"type":"number","multipleOf":0.01})", {"0.1", "0.29", "19.99", "3"}, {"0.001", "19.999"});
  Check(R"({"type":"number","multipleOf":0.1})", {"0.3", "0.7", "4.1"}, {"0.35"});
  Check(R"({"type":"number","multipleOf":2.5})", {"2.5", "5", "7.5", "-10", "0"}, {"2", "1.5", "7"});
  Check(R"({"type":"number","multipleOf":0.025})", {"0.025", "0.05", "1.1", "0.2"}, {"0.01", "0.03"});
  Check(R"({"type":"number","multipleOf":1e-2,"minimum":0.05,"exclusiveMaximum":0.2})", {"0.05", "0.19", "0.1"},
        {"0.2", "0.04", "0.055"});
  Check(R"({"type":"number","allOf":[{"multipleOf":0.5},{"multipleOf":0.2}]})", {"1", "3", "-2"}, {"0.5", "0.2", "1.5"});
  Check(R"({"type":"integer","multipleOf":0.3})", {"3", "0", "-6"}, {"1", "2", "0.3"});
  Check(R"({"enum":[0.3,0.35,2,"x"],"multipleOf":0.1})", {"0.3", "2", "\"x\""}, {"0.35"});
  Check(R"({"enum":[{"a":[1.5,-0.25,[],{},1e300],"b\"":null}]})", {R"({"a":[1.5,-0.25,[],{},1e+300],"b\"":null})"}, {});
  Check(R"({"type":"number","multipleOf":0.5,"not":{"const":1.5}})", {"1", "2.5"}, {"1.5"});
  for (const char* schema : {R"({"type":"number","multipleOf":0})", R"({"type":"number","multipleOf":-1})",
                             R"({"type":"number","multipleOf":"1"})", R"({"type":"number","multipleOf":1001})",
                             R"({"type":"number","multipleOf":10.01})", R"({"type":"number","multipleOf":1e-300})",
                             R"({"allOf":[{"type":"number","multipleOf":0.997},{"multipleOf":0.991}]})"}) {
    EXPECT_THAT(Of(schema).refusal, HasSubstr("/multipleOf`")) << schema;
  }
  EXPECT_NE(Of(R"({"type":"number","multipleOf":0.1,"minimum":0.01,"maximum":0.09})").refusal, "");
}

// A state for each rest of a division: bounds leave fewer.
TEST(Multiples, LargeOnesNeedBounds) {
  for (const char* schema : {R"({"type":"number","multipleOf":1000})", R"({"type":"number","multipleOf":0.997})",
                             R"({"type":"number","multipleOf":0.000000000000997})"}) {
    EXPECT_THAT(Of(schema).refusal, testing::AllOf(HasSubstr("`#/multipleOf`"), HasSubstr("bounds"))) << schema;
  }
  Check(R"({"type":"number","multipleOf":1000,"minimum":0,"maximum":1000000})", {"0", "1000", "999000", "1000000"},
        {"1", "500", "1001000"});
}

}  // namespace
}  // namespace portcullis::inference
