// TLS: what is spoken, what is refused, who is let in, and hot reload.
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <set>
#include <vector>

#include "certs/crl.h"
#include "certs/issue.h"
#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

using boost::asio::awaitable;

awaitable<void> WhoAmI(Exchange& exchange) {
  const Peer& peer = exchange.peer();
  std::string text = peer.tls_version + " " + peer.tls_group + " " + peer.address.to_string() + " ";
  text += peer.certificate ? peer.certificate->san_uri : "nobody";
  co_await Answer(exchange, 200, std::move(text));
}

std::string Ask(Client& client) {
  client.Send(kGet);
  return BodyOf(client.ReceiveResponse());
}

TlsOptions MutualTls() {
  TlsOptions options = ServerTls();
  options.client_ca_file = SharedPki().base("ca/clients.pem");
  options.client_crl_file = SharedPki().base("crl/clients.crl");
  return options;
}

TEST(Tls, Speaks13) {
  TestServer server(WhoAmI);
  Client client(server, Via::kTls, {.certificate = {}, .alpn = "\x02h2\x08http/1.1"});
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(Ask(client), "TLSv1.3 x25519 127.0.0.1 nobody");
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(client.ssl())), 0) << "a ticket was given";
}

TEST(Tls, RefusesOlderVersionsUnlessAllowed) {
  TestServer strict(WhoAmI);
  EXPECT_FALSE(Client(strict, Via::kTls, {.certificate = {}, .max_version = TLS1_2_VERSION}).connected());
  TlsOptions options = ServerTls();
  options.allow_tls12 = true;
  TestServer lenient(WhoAmI, {}, options);
  Client client(lenient, Via::kTls, {.certificate = {}, .max_version = TLS1_2_VERSION});
  ASSERT_TRUE(client.connected());
  EXPECT_TRUE(Ask(client).starts_with("TLSv1.2"));
  EXPECT_EQ(SSL_renegotiate(client.ssl()), 1);
  client.Send(kGet);
  EXPECT_EQ(SSL_session_reused(client.ssl()), 0);
  EXPECT_FALSE(Client(lenient, Via::kTls, {.certificate = {}, .max_version = TLS1_1_VERSION}).connected());
}

TEST(Tls, RefusesForeignProtocols) {
  TestServer server(WhoAmI);
  EXPECT_FALSE(Client(server, Via::kTls, {.certificate = {}, .alpn = "\x02h2"}).connected());
}

TEST(Tls, SurvivesWhatIsNotAHandshake) {
  TestServer server(WhoAmI);
  const std::string plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  std::string random(4096, '\0');
  for (size_t i = 0; i < random.size(); ++i) random[i] = static_cast<char>(i * 131 + 7);
  const std::string hellos[] = {
      plain,
      random,
      std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'a'),  // record too long
      std::string("\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9),             // hello of 16 MB
      std::string("\x16\x03\x01\x00\x00", 5),                             // empty record
      std::string("\x15\x03\x03\x00\x02\x02\x28", 7),                     // an alert
      std::string("\x80\x2e\x01\x00\x02", 5) + std::string(41, 'x'),      // SSLv2
      std::string("\x17\x03\x03\x00\x05hello", 10),                       // data before a handshake
  };
  uint64_t failed = 0;
  for (const std::string& hello : hellos) {
    const int fd = ConnectTcp(server.port());
    ASSERT_GE(fd, 0);
    (void)!::write(fd, hello.data(), hello.size());
    ::shutdown(fd, SHUT_WR);
    ++failed;
    EXPECT_TRUE(Eventually([&] { return server.counters().handshakes_failed == failed; })) << failed;
    ::close(fd);
  }
  EXPECT_EQ(server.counters().requests, 0u);
  Client client(server, Via::kTls);
  EXPECT_TRUE(Ask(client).starts_with("TLSv1.3"));
}

TEST(Tls, UnixPeersAreTheirCredentials) {
  std::atomic<uid_t> uid{12345};
  std::atomic<bool> good{false};
  TestServer server([&](Exchange& exchange) -> awaitable<void> {
    uid = exchange.peer().uid;
    good = exchange.peer().kind == Peer::Kind::kUnix && exchange.peer().listener == "socket" &&
           exchange.peer().pid == ::getpid();
    co_await Echo(exchange);
  });
  Client client(server, Via::kUnix);
  Ask(client);
  EXPECT_EQ(uid, ::getuid());
  EXPECT_TRUE(good);
}

TEST(MutualTls, KnowsTheUser) {
  TestServer server(WhoAmI, {}, MutualTls());
  Client client(server, Via::kTls, {.certificate = IssueClient(certs::Branch::kUsers, "ann")});
  ASSERT_TRUE(client.connected());
  EXPECT_TRUE(Ask(client).ends_with(" portcullis:user:ann"));
  Client nobody(server, Via::kTls);
  EXPECT_TRUE(Ask(nobody).ends_with(" nobody"));
}

TEST(MutualTls, RequiredMeansRequired) {
  TlsOptions options = MutualTls();
  options.client_certificate_required = true;
  TestServer server(WhoAmI, {}, options);
  Client client(server, Via::kTls);
  EXPECT_EQ(Ask(client), "");
  EXPECT_EQ(server.counters().requests, 0u);
}

TEST(MutualTls, AdminListenerTakesAdminsOnly) {
  TlsOptions options = MutualTls();
  options.client_certificate_required = true;
  options.client_issuer_file = SharedPki().base("ca/admins.pem");
  TestServer server(WhoAmI, {}, options);
  Client user(server, Via::kTls, {.certificate = IssueClient(certs::Branch::kUsers, "ann")});
  EXPECT_EQ(Ask(user), "");
  Client admin(server, Via::kTls, {.certificate = IssueClient(certs::Branch::kAdmins, "root")});
  EXPECT_TRUE(Ask(admin).ends_with(" portcullis:admin:root"));
  Client wrong(server, Via::kTls, {.certificate = SharedPki().base("server")});
  EXPECT_EQ(Ask(wrong), "") << "a server's certificate is no client's";
}

TEST(MutualTls, StrangersAreRefused) {
  const auto dir = FreshFolder();
  certs::AuthorityOptions other;
  other.name = "Test";
  const auto authority = certs::Authority::Create(dir, other);
  ASSERT_TRUE(authority);
  certs::IssueRequest request;
  request.name = "ann";
  ASSERT_TRUE(certs::Issue(authority.value(), request, dir / "ann"));
  TestServer server(WhoAmI, {}, MutualTls());
  Client client(server, Via::kTls, {.certificate = dir / "ann"});
  EXPECT_EQ(Ask(client), "");
}

TEST(MutualTls, RevocationBitesTheNextHandshakeAndTheOpenConnection) {
  TestServer server(WhoAmI, {}, MutualTls());
  const auto base = IssueClient(certs::Branch::kUsers, "leaver");
  Client open(server, Via::kTls, {.certificate = base});
  EXPECT_TRUE(Ask(open).ends_with("leaver"));
  Client stays(server, Via::kTls, {.certificate = IssueClient(certs::Branch::kUsers, "stays")});
  EXPECT_TRUE(Ask(stays).ends_with("stays"));
  Client nobody(server, Via::kTls);
  EXPECT_TRUE(Ask(nobody).ends_with("nobody"));
  const auto authority = certs::Authority::Open(SharedPki().dir);
  ASSERT_TRUE(certs::Revoke(authority.value(), base.string() + ".pem"));
  const auto reloaded = server.tls().ReloadIfChanged();
  ASSERT_TRUE(reloaded) << reloaded.error().message;
  EXPECT_TRUE(reloaded.value());
  EXPECT_FALSE(server.tls().ReloadIfChanged().value());
  Client late(server, Via::kTls, {.certificate = base});
  EXPECT_EQ(Ask(late), "");
  server.server().Recheck();
  EXPECT_TRUE(open.AtEnd()) << "who is revoked has no connection left";
  EXPECT_TRUE(Ask(stays).ends_with("stays")) << "reloading must not drop others";
  EXPECT_TRUE(Ask(nobody).ends_with("nobody"));
}

// `base` is no longer taken; connections that are open have not been asked yet.
void RevokeAt(TestServer& server, const std::filesystem::path& base) {
  const auto authority = certs::Authority::Open(SharedPki().dir);
  ASSERT_TRUE(certs::Revoke(authority.value(), base.string() + ".pem"));
  ASSERT_TRUE(server.tls().ReloadIfChanged());
}

TEST(MutualTls, AnOpenConnectionThatIsRevokedServesNoPipelinedRequest) {
  const auto base = IssueClient(certs::Branch::kUsers, "pipeliner");
  TestServer* server = nullptr;
  std::atomic<int> served{0};
  const auto handler = [&](Exchange& exchange) -> awaitable<void> {
    if (++served == 1) {
      RevokeAt(*server, base);
      server->server().Recheck();  // its turn comes after this answer, before the next request
    }
    co_await Answer(exchange, 200, "done");
  };
  TestServer one(handler, {}, MutualTls(), 1);
  server = &one;
  Client client(one, Via::kTls, {.certificate = base});
  ASSERT_TRUE(client.connected());
  client.Send(std::string(kGet) + std::string(kGet));
  client.ReceiveAll();
  EXPECT_EQ(served, 1);
}

TEST(MutualTls, TheCoreServesOthersWhileConnectionsAreAskedAgain) {
  constexpr int kRevoked = 16;
  const auto base = IssueClient(certs::Branch::kUsers, "many");
  TestServer* server = nullptr;
  std::set<uint64_t> open;  // as one call, which goes on, sees them end
  std::atomic<bool> ready{false};
  const auto handler = [&](Exchange& exchange) -> awaitable<void> {
    if (ready) {
      RevokeAt(*server, base);
      server->server().Recheck();
      for (int i = 0; i < 1'000 && server->counters().open > 1; ++i) {
        open.insert(server->counters().open);
        co_await boost::asio::post(boost::asio::use_awaitable);
      }
    }
    co_await Answer(exchange, 200, "done");
  };
  TestServer one(handler, {}, MutualTls(), 1);
  server = &one;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kRevoked; ++i) {
    clients.push_back(
        std::make_unique<Client>(one, Via::kTls, ClientOptions{.certificate = base}));
    ASSERT_EQ(Ask(*clients.back()), "done");
  }
  Client stays(one, Via::kTls, {.certificate = IssueClient(certs::Branch::kUsers, "stays")});
  ready = true;
  EXPECT_EQ(Ask(stays), "done");
  EXPECT_EQ(one.counters().open, 1u);
  EXPECT_GE(open.size(), 3u) << "all at once";
}

TEST(TlsReload, WhatIsLoadedIsNotInUseYet) {
  const auto dir = FreshFolder();
  TlsOptions options = ServerTls();
  for (const char* name : {"server.pem", "server.key"}) {
    std::filesystem::copy_file(SharedPki().base(name), dir / name);
  }
  options.chain_file = dir / "server.pem";
  options.key_file = dir / "server.key";
  TestServer server(WhoAmI, {}, options);
  const auto before = server.tls().Snapshot();
  auto loaded = server.tls().Load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(server.tls().Snapshot(), before);
  server.tls().Use(std::move(loaded.value()));
  EXPECT_NE(server.tls().Snapshot(), before);
  EXPECT_FALSE(server.tls().ReloadIfChanged().value()) << "what was taken is not taken again";
}

TEST(TlsReload, KeepsTheLastGoodCertificate) {
  const auto dir = FreshFolder();
  TlsOptions options = ServerTls();
  for (const char* name : {"server.pem", "server.key"}) {
    std::filesystem::copy_file(SharedPki().base(name), dir / name);
  }
  options.chain_file = dir / "server.pem";
  options.key_file = dir / "server.key";
  TestServer server(WhoAmI, {}, options);
  std::ofstream(dir / "server.pem") << "garbage";
  const auto bad = server.tls().ReloadIfChanged();
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("server.pem"), std::string::npos);
  Client client(server, Via::kTls);
  EXPECT_TRUE(Ask(client).starts_with("TLSv1.3"));

  const auto user = IssueClient(certs::Branch::kUsers, "x");
  std::filesystem::copy_file(user.string() + ".pem", dir / "server.pem",
                             std::filesystem::copy_options::overwrite_existing);
  const auto mismatch = server.tls().Reload();
  ASSERT_FALSE(mismatch);
  EXPECT_NE(mismatch.error().message.find("does not belong"), std::string::npos) << mismatch.error().message;
}

TEST(TlsOpen, SaysWhatIsWrong) {
  TlsOptions missing = ServerTls();
  missing.chain_file = "/nonexistent.pem";
  EXPECT_NE(TlsContext::Open(missing).error().message.find("/nonexistent.pem"), std::string::npos);

  TlsOptions no_crl = ServerTls();
  no_crl.client_ca_file = SharedPki().base("ca/clients.pem");
  EXPECT_EQ(TlsContext::Open(no_crl).error().code, Code::kConfig);

  const auto dir = FreshFolder();
  std::filesystem::copy_file(SharedPki().base("server.key"), dir / "server.key");
  std::filesystem::permissions(dir / "server.key", std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  TlsOptions open_key = ServerTls();
  open_key.key_file = dir / "server.key";
  EXPECT_FALSE(TlsContext::Open(open_key)) << "a key that others can read";
}

TEST(TlsOpen, PostQuantumIsRefusedWithAWordWhereMissing) {
  TlsOptions options = ServerTls();
  options.require_pq = true;
  const auto context = TlsContext::Open(options);
  if (PostQuantumAvailable()) {
    EXPECT_TRUE(context);
  } else {
    ASSERT_FALSE(context);
    EXPECT_NE(context.error().message.find("OpenSSL 3.5"), std::string::npos);
  }
}

}  // namespace
}  // namespace portcullis::gateway::test
