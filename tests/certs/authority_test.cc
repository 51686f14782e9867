// What init and issue write, checked by the openssl program and by what they refuse.
#include "certs/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "certs/crl.h"
#include "certs/inspect.h"
#include "certs/issue.h"
#include "tests/certs/test_chains.h"

namespace portcullis::certs::test {
namespace {

bool OpensslVerifies(const Authority& authority, const std::filesystem::path& chain, Branch branch,
                     const std::string& purpose) {
  const std::string crls = (authority.dir() / "all.crl").string();
  std::ofstream out(crls);
  for (const Branch each : {Branch::kRoot, branch}) {
    out << std::ifstream(authority.CrlFile(each)).rdbuf();
  }
  out.close();
  const std::string command =
      "openssl verify -x509_strict -crl_check_all -auth_level 2 -purpose " + purpose + " -CAfile " +
      authority.CertificateFile(Branch::kRoot).string() + " -CRLfile " + crls + " -untrusted " +
      authority.CertificateFile(branch).string() + " " + chain.string() + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

unsigned ModeOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(Authority, OpensslVerifiesEveryKind) {
  const Chains chains;
  const auto& authority = chains.authority();
  const struct {
    Branch branch;
    const char* purpose;
  } kinds[] = {{Branch::kServers, "sslserver"}, {Branch::kUsers, "sslclient"}, {Branch::kAdmins, "sslclient"}};
  for (const auto& kind : kinds) {
    IssueRequest request;
    request.branch = kind.branch;
    request.name = "localhost";
    const auto base = authority.dir() / std::string(BranchName(kind.branch));
    const auto issued = Issue(authority, request, base);
    ASSERT_TRUE(issued) << issued.error().message;
    EXPECT_TRUE(OpensslVerifies(authority, issued.value().chain_file, kind.branch, kind.purpose));
    EXPECT_EQ(ModeOf(issued.value().key_file), 0600u);
  }
  const auto path = authority.dir() / "users.pem";
  ASSERT_TRUE(Revoke(authority, path));
  EXPECT_FALSE(OpensslVerifies(authority, path, Branch::kUsers, "sslclient"));
}

TEST(Authority, KeepsItsKeysToItself) {
  const Chains chains;
  for (const Branch branch : {Branch::kRoot, Branch::kServers, Branch::kUsers, Branch::kAdmins}) {
    EXPECT_EQ(ModeOf(chains.authority().KeyFile(branch)), 0600u);
    EXPECT_EQ(ModeOf(chains.authority().CertificateFile(branch)), 0644u);
  }
  EXPECT_EQ(ModeOf(chains.authority().dir() / "ca"), 0700u);
}

TEST(Authority, NeverOverwrites) {
  const Chains chains;
  const auto again = Authority::Create(chains.authority().dir(), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kExists);
  IssueRequest request;
  request.name = "ann";
  const auto base = chains.authority().dir() / "ann";
  ASSERT_TRUE(Issue(chains.authority(), request, base));
  const auto twice = Issue(chains.authority(), request, base);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kExists);
}

TEST(Authority, OpensAgain) {
  const Chains chains;
  const auto opened = Authority::Open(chains.authority().dir());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value().name(), "Test");
  EXPECT_EQ(opened.value().crl_uri(), "http://crl.portcullis.internal/");
  const auto none = Authority::Open(FreshFolder());
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("certs init"), std::string::npos);
  std::ofstream(chains.authority().dir() / "ca" / "authority.conf") << "nonsense";
  EXPECT_EQ(Authority::Open(chains.authority().dir()).error().code, Code::kBadFormat);
}

TEST(Authority, RefusesBadOptions) {
  AuthorityOptions name;
  name.name = std::string("a\nb");
  EXPECT_FALSE(Authority::Create(FreshFolder(), name));
  AuthorityOptions uri;
  uri.crl_uri = "http://a/,URI:http://b/";
  EXPECT_FALSE(Authority::Create(FreshFolder(), uri));
  AuthorityOptions network;
  network.permitted_ip = {"10.0.0.0/8"};
  EXPECT_FALSE(Authority::Create(FreshFolder(), network));
}

TEST(Issue, RefusesBeforeSigning) {
  const Chains chains;
  const auto base = chains.authority().dir() / "x";
  const auto refused = [&](const std::function<void(IssueRequest&)>& change) {
    IssueRequest request;
    request.name = "x";
    request.branch = Branch::kServers;
    request.dns = {"localhost"};
    change(request);
    const auto issued = Issue(chains.authority(), request, base);
    return !issued && issued.error().code == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& r) { r.name = ""; }));
  EXPECT_TRUE(refused([](auto& r) { r.name = "a/b"; }));
  EXPECT_TRUE(refused([](auto& r) { r.name = "a b"; }));
  EXPECT_TRUE(refused([](auto& r) { r.name = std::string(65, 'a'); }));
  EXPECT_TRUE(refused([](auto& r) { r.days = 91; }));
  EXPECT_TRUE(refused([](auto& r) { r.days = -1; }));
  EXPECT_TRUE(refused([](auto& r) { r.branch = Branch::kRoot; }));
  EXPECT_TRUE(refused([](auto& r) { r.branch = Branch::kUsers; })) << "users have no DNS names";
  EXPECT_TRUE(refused([](auto& r) { r.dns = {"a b"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.dns = {"evil.com"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.ip = {"8.8.8.8"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.ip = {"300.1.1.1"}; }));
  EXPECT_FALSE(std::filesystem::exists(base.string() + ".pem"));
  EXPECT_FALSE(std::filesystem::exists(base.string() + ".key"));
}

TEST(Issue, NamesAreAsAsked) {
  const Chains chains;
  IssueRequest request;
  request.branch = Branch::kServers;
  request.name = "gw";
  request.dns = {"localhost", "gw.corp"};
  request.ip = {"127.0.0.1", "::1"};
  request.days = 10;
  const auto issued = Issue(chains.authority(), request, chains.authority().dir() / "gw");
  ASSERT_TRUE(issued) << issued.error().message;
  const auto infos = Inspect(issued.value().chain_file);
  ASSERT_TRUE(infos);
  ASSERT_EQ(infos.value().size(), 2u);
  const CertificateInfo& leaf = infos.value()[0];
  EXPECT_EQ(leaf.names, (std::vector<std::string>{"DNS:localhost", "DNS:gw.corp", "IP:127.0.0.1", "IP:::1"}));
  EXPECT_EQ(leaf.subject, "CN=server:gw,OU=servers,O=Test");
  EXPECT_EQ(leaf.key, "EC P-256");
  EXPECT_EQ(leaf.serial, issued.value().serial);
  EXPECT_EQ(leaf.serial.size(), 40u);
  EXPECT_FALSE(leaf.is_ca);
  EXPECT_FALSE(leaf.expired);
  EXPECT_TRUE(infos.value()[1].is_ca);
}

TEST(Crl, OfflineRootIsNoErrorWhileItsListIsGood) {
  const Chains chains;
  std::filesystem::remove(chains.authority().KeyFile(Branch::kRoot));
  EXPECT_TRUE(MakeCrls(chains.authority()));
  std::filesystem::remove(chains.authority().CrlFile(Branch::kRoot));
  const auto stale = MakeCrls(chains.authority());
  ASSERT_FALSE(stale);
  EXPECT_NE(stale.error().message.find("root.key"), std::string::npos);
}

TEST(Crl, DamagedListIsRefused) {
  const Chains chains;
  std::ofstream(chains.authority().RevokedFile()) << "users nonsense x\n";
  const auto made = MakeCrls(chains.authority());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kBadFormat);
}

TEST(Inspect, RefusesWhatIsNoCertificate) {
  EXPECT_EQ(Inspect("/nonexistent").error().code, Code::kNotFound);
  const auto file = FreshFolder() / "x";
  std::ofstream(file) << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(Inspect(file).error().code, Code::kBadFormat);
}

}  // namespace
}  // namespace portcullis::certs::test
