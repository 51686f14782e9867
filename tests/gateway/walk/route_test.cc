#include "gateway/route.h"

#include <gtest/gtest.h>

#include <set>

namespace portcullis::gateway {
namespace {

TEST(Route, OnlyHealthIsOpen) {
  for (const Route& route : Routes()) {
    const bool health = route.operation == Operation::kHealth || route.operation == Operation::kReady;
    EXPECT_EQ(route.access == Access::kOpen, health) << route.path;
  }
}

TEST(Route, AdministrationIsNeverOnTheApiListener) {
  for (const Route& route : Routes()) {
    const bool admin_path = route.path.starts_with("/admin/");
    EXPECT_EQ(route.access == Access::kAdmin, admin_path) << route.path;
    EXPECT_FALSE(admin_path && (route.listeners & kApi) != 0) << route.path;
  }
}

TEST(Route, EveryVersionedRouteHasItsAliasWithTheSameWalls) {
  for (const Route& route : Routes()) {
    if (!route.path.starts_with("/v1/")) continue;
    auto alias = FindRoute(kApi, route.method, route.path.substr(3));
    ASSERT_TRUE(alias) << route.path;
    EXPECT_EQ(alias.value().route->operation, route.operation);
    EXPECT_EQ(alias.value().route->access, route.access);
    EXPECT_EQ(alias.value().route->body_limit, route.body_limit);
  }
}

TEST(Route, RowsAreUnique) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(seen.emplace(route.method, route.path).second) << route.path;
  }
}

TEST(Route, MatchesExactlyAndCapturesOneSegment) {
  auto model = FindRoute(kApi, "GET", "/v1/models/portcullis-nano");
  ASSERT_TRUE(model);
  EXPECT_EQ(model.value().argument, "portcullis-nano");
  for (const char* path : {"/v1/models/", "/v1/modelsx", "/v1/audit/receipts/1/2", "/V1/models", "/", "",
                           "/v1", "/v1/chat/completions/", "/admin/v1/keys"}) {
    auto match = FindRoute(kApi, "GET", path);
    ASSERT_FALSE(match) << path;
    EXPECT_EQ(match.error().code, Code::kNotFound) << path;
  }
  auto slashed = FindRoute(kApi, "GET", "/models/org/model");
  ASSERT_TRUE(slashed);
  EXPECT_EQ(slashed.value().argument, "org/model");
  auto wrong_method = FindRoute(kApi, "DELETE", "/v1/models");
  ASSERT_FALSE(wrong_method);
  EXPECT_EQ(wrong_method.error().code, Code::kMethodNotAllowed);
}

TEST(Error, EveryCodeHasItsRow) {
  for (uint16_t number = 1; number <= static_cast<uint16_t>(Code::kPenalized); ++number) {
    const CodeInfo& info = Info(static_cast<Code>(number));
    EXPECT_EQ(static_cast<uint16_t>(info.code), number);
    EXPECT_GE(info.http_status, 400);
    EXPECT_FALSE(info.name.empty());
  }
}

}  // namespace
}  // namespace portcullis::gateway
