// Entities: the JSON form, the hierarchy, what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/cedar/schema.h"
#include "policy/cedar/value_json.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

using testing::HasSubstr;

std::string Entity(const std::string& attrs, const std::string& parents = "",
                   const std::string& id = "a") {
  return R"({"uid":{"type":"U","id":")" + id + R"("},"attrs":{)" + attrs + R"(},"parents":[)" +
         parents + "]}";
}
bool Loads(const std::string& list) {
  return static_cast<bool>(Entities::ParseJson("[" + list + "]"));
}

TEST(EntitiesJson, AcceptsWhatCedarAccepts) {
  for (
      const std::string& good :
      {Entity(""), Entity(R"("x":[1,"a",{}],"":2)"),
       Entity(R"("x":{"__entity":{"type":"A::B","id":""}})"),
       Entity(R"("x":{"__extn":{"fn":"ip","arg":"1.1.1.1"}})"),
       Entity(R"("x":{"__extn":{"fn":"ip","args":["1.1.1.1"]}})"),
       Entity(
           R"("x":{"__extn":{"fn":"offset","args":[{"__extn":{"fn":"datetime","arg":"2024-01-01"}},{"__extn":{"fn":"duration","arg":"1d"}}]}})"),
       Entity("", R"({"type":"U","id":"b"},{"__entity":{"type":"U","id":"b"}})"),
       Entity("") + "," + Entity(""),
       std::string(
           R"({"uid":{"__entity":{"type":"U","id":"a"}},"attrs":{},"parents":[],"tags":{"t":1},"more":1})")}) {
    EXPECT_TRUE(Loads(good)) << good;
  }
}

TEST(EntitiesJson, RefusesWhatCedarRefuses) {
  for (const std::string& bad :
       {std::string("1"), std::string(R"({"uid":{"type":"U","id":"a"}})"),
        std::string(R"({"uid":"U::\"a\"","attrs":{},"parents":[]})"),
        std::string(R"({"uid":{"type":"U b","id":"a"},"attrs":{},"parents":[]})"),
        std::string(R"({"uid":{"type":"__cedar::U","id":"a"},"attrs":{},"parents":[]})"),
        std::string(R"({"uid":{"type":"if","id":"a"},"attrs":{},"parents":[]})"),
        std::string(R"({"uid":{"type":"U","id":1},"attrs":{},"parents":[]})"),
        std::string(
            R"({"uid":{"type":"Action","id":"x"},"attrs":{},"parents":[{"type":"U","id":"b"}]})"),
        Entity(R"("x":null)"), Entity(R"("x":1.5)"), Entity(R"("x":9223372036854775808)"),
        Entity(R"("x":{"__expr":"1+1"})"), Entity(R"("x":{"__extn":{"fn":"ip","arg":"x"}})"),
        Entity(R"("x":{"__extn":{"fn":"no","arg":"x"}})"), Entity(R"("x":1,"x":2)"),
        Entity(R"("x":1)") + "," + Entity(R"("x":2)"), Entity("", R"({"type":"U","id":"a"})"),
        Entity("", R"({"type":"U","id":"b"})") + "," +
            Entity("", R"({"type":"U","id":"a"})", "b")}) {
    EXPECT_FALSE(Loads(bad)) << bad;
  }
}

TEST(EntitiesJson, ErrorsSayWhere) {
  const Result<Entities> entities =
      Entities::ParseJson("[" + Entity(R"("home":{"city":null})") + "]", nullptr, "people.json");
  ASSERT_FALSE(entities);
  EXPECT_EQ(entities.error().message,
            "people.json[0] U::\"a\" attrs.home.city: null is no Cedar value");
  const Result<Entities> cut = Entities::ParseJson("[{\n \"uid\": }]", nullptr, "people.json");
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, HasSubstr("people.json:2:"));
}

TEST(EntitiesJson, DepthBombsAreRefused) {
  EXPECT_FALSE(Entities::ParseJson(std::string(1'000'000, '[')));
  const Result<Entities> deep = Entities::ParseJson(std::string(900, '[') + std::string(900, ']'));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Code::kTooDeep);
}

TEST(Entities, LongChainsAndWideGraphsClose) {
  Entities store;
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) {
    store.Add({{"G", std::to_string(i)}, {}, {{"G", std::to_string(i + 1)}}, {}});
  }
  ASSERT_TRUE(store.Close());
  const EntityView view(store, nullptr);
  EXPECT_TRUE(view.In(Value::Entity("G", "0"), Value::Entity("G", std::to_string(kMany))));
  EXPECT_FALSE(view.In(Value::Entity("G", "1"), Value::Entity("G", "0")));
}

// Kept is what lies above each entity: the square of a chain's length.
TEST(Entities, AHierarchyTooDeepForItsSizeIsRefused) {
  std::string chain;
  for (int i = 0; i < 20'000; ++i) {
    const std::string above = R"({"type":"U","id":")" + std::to_string(i + 1) + R"("})";
    chain += (i == 0 ? "" : ",") + Entity("", above, std::to_string(i));
  }
  const auto deep = Entities::ParseJson("[" + chain + "]");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Code::kTooLarge);
  EXPECT_THAT(deep.error().message, HasSubstr("too deep for so many entities"));
  // As many below one chain of groups are a large company.
  Entities staff;
  for (int i = 0; i < 40; ++i) {
    staff.Add({{"G", std::to_string(i)}, {}, {{"G", std::to_string(i + 1)}}, {}});
  }
  for (int i = 0; i < 100'000; ++i) staff.Add({{"U", std::to_string(i)}, {}, {{"G", "0"}}, {}});
  EXPECT_TRUE(staff.Close());
}

TEST(Entities, AnUnclosedStoreAnswersTheSame) {
  Entities store;
  store.Add({{"U", "a"}, {}, {{"G", "x"}}, {}});
  store.Add({{"G", "x"}, {}, {{"G", "y"}}, {}});
  EXPECT_FALSE(store.closed());
  const EntityView view(store, nullptr);
  EXPECT_TRUE(view.In(Value::Entity("U", "a"), Value::Entity("G", "y")));
  EXPECT_FALSE(view.In(Value::Entity("G", "y"), Value::Entity("U", "a")));
}

TEST(EntitiesJson, ActionsAreAsTheSchemaHasThem) {
  const Schema schema =
      Schema::Parse("action top; action mid in [top]; action low in [mid];", "s").value();
  const auto loads = [&](std::string_view json) {
    return static_cast<bool>(Entities::ParseJson(json, &schema));
  };
  EXPECT_TRUE(loads("[]"));
  EXPECT_EQ(Entities::ParseJson("[]", &schema).value().size(), 3u);
  EXPECT_TRUE(loads(R"([{"uid":{"type":"Action","id":"top"},"attrs":{},"parents":[]}])"));
  EXPECT_TRUE(loads(R"([{"uid":{"type":"Action","id":"low"},"attrs":{},"parents":[
      {"type":"Action","id":"mid"},{"type":"Action","id":"top"}]}])"));
  EXPECT_FALSE(loads(R"([{"uid":{"type":"Action","id":"low"},"attrs":{},"parents":[
      {"type":"Action","id":"mid"}]}])"));  // what lies above is not all there
  EXPECT_FALSE(loads(R"([{"uid":{"type":"Action","id":"top"},"attrs":{"a":1},"parents":[]}])"));
  EXPECT_FALSE(loads(R"([{"uid":{"type":"Action","id":"other"},"attrs":{},"parents":[]}])"));
}

TEST(EntitiesJson, TheSchemaSaysWhatABareFormMeans) {
  const Schema schema =
      Schema::Parse("entity U {boss: U, from: ipaddr, cost: decimal, ids: Set<U>};", "s").value();
  const Result<Entities> store = Entities::ParseJson(R"([{"uid":{"type":"U","id":"a"},"attrs":{
      "boss":{"type":"U","id":"b"},"from":"10.0.0.0/8","cost":{"fn":"decimal","arg":"1.5"},
      "ids":[{"__entity":{"type":"U","id":"c"}},{"type":"U","id":"d"}]},"parents":[]}])",
                                                     &schema);
  ASSERT_TRUE(store) << store.error().message;
  const Entities::Stored* found = store.value().Find(EntityUid{"U", "a"});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found->attrs.Find("boss"), Value::Entity("U", "b"));
  EXPECT_EQ(found->attrs.Find("from")->kind(), Kind::kIp);
  EXPECT_EQ(found->attrs.Find("cost")->long_value(), 15000);
  EXPECT_EQ(found->attrs.Find("ids")->elements().size(), 2u);
}

TEST(Values, JsonRoundTrip) {
  const Value value = Value::Record({{"set", Value::Set({Value::Long(2), Value::Long(1)})},
                                     {"who", Value::Entity("A::B", "x\"y")},
                                     {"ip", Value::ParseIp("2001:db8::/32").value()},
                                     {"when", Value::Datetime(-1)},
                                     {"how long", Value::Duration(INT64_MIN)},
                                     {"price", Value::ParseDecimal("-12.05").value()}});
  const Json json = ParseJson(ToJson(value), "v").value();
  EXPECT_EQ(ValueFromJson(json, nullptr, "v").value(), value);
}

}  // namespace
}  // namespace portcullis::policy::cedar
