#include "gateway/identify/identifier.h"

#include <unistd.h>

#include <set>
#include <type_traits>

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

static_assert(!std::is_default_constructible_v<Identity>);
static_assert(!std::is_constructible_v<Identity, std::shared_ptr<const Profile>, Method,
                                       std::string, const UsageLimits&>);

http::RequestHead HeadWith(const std::vector<std::string>& authorization) {
  http::RequestHead head;
  head.method = "GET";
  head.path = "/v1/models";
  head.fields.push_back({"host", "localhost"});
  for (const std::string& value : authorization) head.fields.push_back({"authorization", value});
  return head;
}

Peer On(const std::string& listener) {
  Peer peer;
  peer.listener = listener;
  peer.address = boost::asio::ip::make_address("192.0.2.7");
  return peer;
}

TEST(Identifier, ProvesAKey) {
  World world;
  const IssuedKey issued = world.Issue({.tokens_per_day = 9});
  const std::string token(View(issued.token));
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER "}) {
    const auto who = world.identifier->Identify(On("api"), HeadWith({scheme + token}));
    ASSERT_TRUE(who) << scheme;
    EXPECT_EQ(who.value().subject(), "alice");
    EXPECT_EQ(who.value().tenant().id, "acme");
    EXPECT_EQ(who.value().method(), Method::kApiKey);
    EXPECT_EQ(who.value().key_id(), issued.key.id);
    EXPECT_EQ(who.value().account(), "key:" + issued.key.id);
    EXPECT_EQ(who.value().home(), "DE");
    EXPECT_EQ(who.value().clearance(), 2);
    EXPECT_TRUE(who.value().HasRole("user"));
    EXPECT_FALSE(who.value().HasRole("admin"));
    EXPECT_EQ(who.value().limits().tokens_per_day, 9u);
  }
}

TEST(Identifier, GivesOneAnswerToEveryFailure) {
  World world;
  const IssuedKey revoked = world.Issue();
  const IssuedKey expired = world.Issue({}, 10);
  const IssuedKey good = world.Issue();
  ASSERT_TRUE(world.store->RevokeKey(revoked.key.id, world.clock.UnixSeconds()));
  world.clock.AdvanceSeconds(10);
  const std::string token(View(good.token));
  const certs::SecretBytes unknown = GenerateApiKey();
  const std::string bearer = "Bearer ";
  const std::vector<std::vector<std::string>> attempts = {
      {},
      {""},
      {"Bearer"},
      {bearer},
      {token},
      {"Basic " + token},
      {bearer + " " + token},
      {bearer + token + " "},
      {bearer + token + "x"},
      {bearer + token.substr(0, 20)},
      {bearer + std::string(View(unknown))},
      {bearer + std::string(View(revoked.token))},
      {bearer + std::string(View(expired.token))},
      {bearer + token, bearer + token},
      {bearer + "' OR 1=1 --"},
      {bearer + "pk_' UNION SELECT hash FROM api_keys WHERE '1'='1______"},
      {bearer + std::string(8000, 'A')},
      {bearer + std::string("\0\xff\n", 3)},
  };
  std::set<std::string> answers;
  for (const auto& attempt : attempts) {
    const auto who = world.identifier->Identify(On("api"), HeadWith(attempt));
    ASSERT_FALSE(who) << (attempt.empty() ? "none" : attempt[0]);
    EXPECT_EQ(who.error().code, Code::kUnauthenticated);
    EXPECT_EQ(who.error().retry_after_ms, -1);
    EXPECT_TRUE(who.error().param.empty());
    answers.insert(who.error().message);
  }
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_TRUE(world.Bearer(token)) << "and the good key still works";
}

TEST(Identifier, ExpiresAtTheSecond) {
  World world;
  const IssuedKey issued = world.Issue({}, 10);
  world.clock.AdvanceSeconds(9);
  EXPECT_TRUE(world.Bearer(View(issued.token)));
  world.clock.AdvanceSeconds(1);
  EXPECT_FALSE(world.Bearer(View(issued.token)));
}

TEST(Identifier, RefusesTheDisabled) {
  World world;
  const IssuedKey issued = world.Issue();
  Principal alice = world.store->ListPrincipals().value()[0];
  alice.disabled = true;
  ASSERT_TRUE(world.store->PutPrincipal(alice));
  EXPECT_FALSE(world.Bearer(View(issued.token)));
  EXPECT_FALSE(world.identifier->ByCertificate(alice.certificate_uri));
  alice.disabled = false;
  ASSERT_TRUE(world.store->PutPrincipal(alice));
  EXPECT_TRUE(world.Bearer(View(issued.token)));
}

TEST(Identifier, TakesCertificatesByUri) {
  World world;
  Peer peer = On("admin");
  EXPECT_FALSE(world.identifier->Identify(peer, HeadWith({})));
  peer.certificate = ClientCertificate{};
  EXPECT_FALSE(world.identifier->Identify(peer, HeadWith({}))) << "no URI";
  peer.certificate->san_uri = "urn:portcullis:user:mallory";
  EXPECT_FALSE(world.identifier->Identify(peer, HeadWith({})));
  peer.certificate->san_uri = "urn:portcullis:user:alice";
  const auto who = world.identifier->Identify(peer, HeadWith({}));
  ASSERT_TRUE(who);
  EXPECT_EQ(who.value().method(), Method::kCertificate);
  EXPECT_EQ(who.value().account(), "principal:alice");
  EXPECT_TRUE(who.value().key_id().empty());
}

TEST(Identifier, NeverFallsBackFromABadKey) {
  World world;
  Peer peer = On("api");
  peer.certificate = ClientCertificate{};
  peer.certificate->san_uri = "urn:portcullis:user:alice";
  EXPECT_TRUE(world.identifier->Identify(peer, HeadWith({})));
  EXPECT_FALSE(world.identifier->Identify(peer, HeadWith({"Bearer pk_wrong"})));
  const std::string token(View(world.Issue().token));
  EXPECT_FALSE(world.identifier->Identify(On("admin"), HeadWith({"Bearer " + token})))
      << "keys do not open the admin listener";
}

TEST(Identifier, KnowsAdministratorsByUid) {
  World world;
  const Identifier identifier(*world.store, world.hasher, world.clock, {.admin_uids = {4242}});
  Peer peer;
  peer.kind = Peer::Kind::kUnix;
  peer.listener = "socket";
  for (const uid_t uid : {uid_t{0}, ::geteuid(), uid_t{4242}}) {
    peer.uid = uid;
    const auto who = identifier.Identify(peer, HeadWith({}));
    ASSERT_TRUE(who) << uid;
    EXPECT_TRUE(who.value().HasRole("admin"));
    EXPECT_EQ(who.value().method(), Method::kUnixPeer);
  }
  peer.uid = 4243;
  EXPECT_FALSE(identifier.Identify(peer, HeadWith({})));
  peer.uid = static_cast<uid_t>(-1);
  EXPECT_FALSE(identifier.Identify(peer, HeadWith({})));
}

TEST(IssueKey, RefusesNonsense) {
  World world;
  const auto issue = [&world](const KeyRequest& request) {
    return IssueKey(*world.store, world.hasher, world.clock, request);
  };
  EXPECT_EQ(issue({.principal = "nobody"}).error().code, Code::kNotFound);
  EXPECT_EQ(issue({.principal = "alice", .valid_seconds = -1}).error().code,
            Code::kInvalidParameter);
  EXPECT_EQ(issue({.principal = "alice", .valid_seconds = INT64_MAX}).error().code,
            Code::kInvalidParameter);
  EXPECT_EQ(issue({.principal = "alice", .label = "a\nb"}).error().code, Code::kInvalidParameter);
  EXPECT_TRUE(world.store->ListKeys().value().empty());
}

}  // namespace
}  // namespace portcullis::gateway
