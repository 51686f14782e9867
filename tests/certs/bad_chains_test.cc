// Chains that must not verify, each wrong in one way, with OpenSSL's reason for it.
#include <gtest/gtest.h>

#include <ctime>

#include "certs/crl.h"
#include "certs/issue.h"
#include "tests/certs/test_chains.h"

namespace portcullis::certs::test {
namespace {

class BadChain : public testing::Test {
 protected:
  static Chains& chains() {
    static Chains shared;
    return shared;
  }
  // Verifies a leaf of `branch` that was changed, under its own intermediate.
  static std::string Check(Branch branch, const std::function<void(CertificateTemplate&)>& change,
                           const char* purpose = nullptr) {
    const Signer ca = chains().Ca(branch);
    const X509Ptr leaf = chains().Leaf(branch, ca, change);
    Chains::Question question;
    question.leaf = leaf.get();
    question.untrusted = {ca.certificate.get()};
    question.purpose = purpose != nullptr            ? purpose
                       : branch == Branch::kServers ? "ssl_server"
                                                    : "ssl_client";
    return chains().Verify(question);
  }
  static std::string WithNames(Branch branch, int type, const std::string& value) {
    const auto names = Names(type, value);
    return Check(branch, [&](CertificateTemplate& fields) { fields.names = names.get(); });
  }
};

TEST_F(BadChain, GoodOnesVerify) {
  for (const Branch branch : {Branch::kServers, Branch::kUsers, Branch::kAdmins}) {
    EXPECT_EQ(Check(branch, {}), "ok") << BranchName(branch);
  }
  EXPECT_EQ(WithNames(Branch::kServers, GEN_IPADD, "127.0.0.1"), "ok");
  EXPECT_EQ(WithNames(Branch::kServers, GEN_DNS, "gw.corp"), "ok");
}

TEST_F(BadChain, Expired) {
  EXPECT_EQ(Check(Branch::kUsers, [](auto& fields) { fields.not_after = std::time(nullptr) - 60; }),
            "certificate has expired");
}

TEST_F(BadChain, IntermediateExpired) {
  const Signer ca = chains().Ca(Branch::kUsers);
  const X509Ptr leaf = chains().Leaf(
      Branch::kUsers, ca, [](auto& fields) { fields.not_after = std::time(nullptr) + 900L * 86400; });
  Chains::Question question{.leaf = leaf.get(), .untrusted = {ca.certificate.get()}};
  question.days_ahead = 366;
  EXPECT_NE(chains().Verify(question), "ok");
}

TEST_F(BadChain, WrongUse) {
  const auto as = [](const char* use) {
    return [use](CertificateTemplate& fields) { fields.extended_key_usage = use; };
  };
  // "ssl_client" and "ssl_server" each refuse the other's certificates.
  EXPECT_EQ(Check(Branch::kUsers, {}, "ssl_server"), "unsuitable certificate purpose");
  EXPECT_EQ(Check(Branch::kServers, {}, "ssl_client"), "unsuitable certificate purpose");
  EXPECT_EQ(Check(Branch::kUsers, as("serverAuth")), "unsuitable certificate purpose");
  EXPECT_EQ(Check(Branch::kUsers, as("serverAuth"), "ssl_server"), "unsuitable certificate purpose")
      << "the users' CA may not make servers";
  EXPECT_EQ(Check(Branch::kServers, as("clientAuth"), "ssl_client"), "unsuitable certificate purpose")
      << "the servers' CA may not make clients";
  EXPECT_EQ(Check(Branch::kUsers, as("codeSigning")), "unsuitable certificate purpose");
  EXPECT_EQ(Check(Branch::kUsers, [](auto& fields) { fields.key_usage = "critical,keyEncipherment"; }),
            "unsuitable certificate purpose");
}

TEST_F(BadChain, NamesOutsideTheConstraints) {
  constexpr const char* kPermitted = "permitted subtree violation";
  constexpr const char* kExcluded = "excluded subtree violation";
  for (const char* name : {"evil.com", "localhost.evil.com", "corp.com", "xlocalhost", "example.org"}) {
    EXPECT_EQ(WithNames(Branch::kServers, GEN_DNS, name), kPermitted) << name;
  }
  for (const char* ip : {"8.8.8.8", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::2"}) {
    EXPECT_EQ(WithNames(Branch::kServers, GEN_IPADD, ip), kPermitted) << ip;
  }
  EXPECT_NE(WithNames(Branch::kServers, GEN_URI, "portcullis:user:ann"), "ok");
  for (const Branch branch : {Branch::kUsers, Branch::kAdmins}) {
    EXPECT_EQ(WithNames(branch, GEN_DNS, "localhost"), kExcluded);
    EXPECT_EQ(WithNames(branch, GEN_IPADD, "127.0.0.1"), kExcluded);
    EXPECT_EQ(WithNames(branch, GEN_IPADD, "::1"), kExcluded);
  }
}

TEST_F(BadChain, SubjectsOfAnotherBranch) {
  const auto unit = [](const char* name) {
    return [name](CertificateTemplate& fields) { fields.subject = MakeName("Test", name, "leaf:x"); };
  };
  EXPECT_EQ(Check(Branch::kUsers, unit("admins")), "permitted subtree violation");
  EXPECT_EQ(Check(Branch::kUsers, unit("servers")), "permitted subtree violation");
  EXPECT_EQ(Check(Branch::kAdmins, unit("users")), "permitted subtree violation");
  EXPECT_EQ(Check(Branch::kServers, unit("admins")), "permitted subtree violation");
  EXPECT_EQ(Check(Branch::kUsers,
                  [](auto& fields) { fields.subject = MakeName("Other", "users", "leaf:x"); }),
            "permitted subtree violation");
  EXPECT_NE(Check(Branch::kUsers,
                  [](auto& fields) {
                    fields.names = nullptr;
                    fields.subject = MakeName("Test", "users", "evil.com");
                  }),
            "ok")
      << "a host name in CN";
}

TEST_F(BadChain, IssuerOfAnotherBranch) {
  const Signer users = chains().Ca(Branch::kUsers);
  const Signer admins = chains().Ca(Branch::kAdmins);
  const X509Ptr leaf = chains().Leaf(Branch::kUsers, users);
  Chains::Question question{.leaf = leaf.get(), .untrusted = {admins.certificate.get()}};
  EXPECT_EQ(chains().Verify(question), "unable to get local issuer certificate");
}

TEST_F(BadChain, LeafAsAuthority) {
  const Signer users = chains().Ca(Branch::kUsers);
  Signer fake;
  fake.certificate = chains().Leaf(Branch::kUsers, users);
  fake.key = NewP256Key();
  const X509Ptr leaf = chains().Leaf(Branch::kUsers, fake);
  Chains::Question question{.leaf = leaf.get(),
                            .untrusted = {fake.certificate.get(), users.certificate.get()}};
  EXPECT_NE(chains().Verify(question), "ok");
}

TEST_F(BadChain, AuthorityBelowAnIntermediateAndDepthBomb) {
  std::vector<Signer> authorities;
  authorities.push_back(chains().Ca(Branch::kUsers));
  std::vector<X509*> untrusted = {authorities.back().certificate.get()};
  for (int depth = 1; depth <= 40; ++depth) {
    CertificateTemplate fields;
    fields.subject = MakeName("Test", "users", "level " + std::to_string(depth));
    fields.not_after = std::time(nullptr) + 86400;
    fields.basic_constraints = "critical,CA:TRUE";
    fields.key_usage = "critical,keyCertSign,cRLSign";
    Signer next;
    next.key = NewP256Key();
    auto made = SignCertificate(fields, next.key.get(), authorities.back().certificate.get(),
                                authorities.back().key.get());
    ASSERT_TRUE(made);
    next.certificate = std::move(made.value());
    authorities.push_back(std::move(next));
    untrusted.push_back(authorities.back().certificate.get());
    const X509Ptr leaf = chains().Leaf(Branch::kUsers, authorities.back());
    if (depth != 1 && depth != 5 && depth != 40) continue;
    Chains::Question question{.leaf = leaf.get(), .untrusted = untrusted};
    EXPECT_NE(chains().Verify(question), "ok") << depth;
  }
}

TEST_F(BadChain, UnknownAndForgedAuthorities) {
  const Chains other;  // same names, other keys
  const Signer ca = other.Ca(Branch::kUsers);
  const X509Ptr leaf = other.Leaf(Branch::kUsers, ca);
  Chains::Question question{.leaf = leaf.get(), .untrusted = {ca.certificate.get()}};
  EXPECT_NE(chains().Verify(question), "ok");
  const Signer root = other.Ca(Branch::kRoot);
  question.untrusted.push_back(root.certificate.get());
  EXPECT_NE(chains().Verify(question), "ok") << "a root may not bring itself";

  CertificateTemplate fields;
  fields.subject = MakeName("Test", "users", "self");
  fields.not_after = std::time(nullptr) + 86400;
  fields.extended_key_usage = "clientAuth";
  const KeyPtr key = NewP256Key();
  const auto self = SignCertificate(fields, key.get(), nullptr, key.get());
  ASSERT_TRUE(self);
  Chains::Question alone{.leaf = self.value().get()};
  EXPECT_NE(chains().Verify(alone), "ok");
}

TEST_F(BadChain, BrokenSignature) {
  const Signer users = chains().Ca(Branch::kUsers);
  Signer wrong_key = chains().Ca(Branch::kUsers);
  wrong_key.key = NewP256Key();
  const X509Ptr leaf = chains().Leaf(Branch::kUsers, wrong_key);
  Chains::Question question{.leaf = leaf.get(), .untrusted = {users.certificate.get()}};
  EXPECT_EQ(chains().Verify(question), "certificate signature failure");
}

TEST_F(BadChain, MissingAndExpiredRevocationLists) {
  const Signer users = chains().Ca(Branch::kUsers);
  const X509Ptr leaf = chains().Leaf(
      Branch::kUsers, users, [](auto& fields) { fields.not_after = std::time(nullptr) + 200L * 86400; });
  Chains::Question question{.leaf = leaf.get(), .untrusted = {users.certificate.get()}};
  question.crls = {};
  EXPECT_EQ(chains().Verify(question), "unable to get certificate CRL");
  question.crls = {Branch::kUsers};
  EXPECT_EQ(chains().Verify(question), "unable to get certificate CRL") << "the root's is needed";
  question.crls = {Branch::kRoot, Branch::kAdmins};
  EXPECT_EQ(chains().Verify(question), "unable to get certificate CRL");
  question.crls = {Branch::kRoot, Branch::kUsers};
  EXPECT_EQ(chains().Verify(question), "ok");
  question.days_ahead = 31;
  EXPECT_EQ(chains().Verify(question), "CRL has expired");
}

TEST(Revocation, LeafAndIntermediate) {
  const Chains chains;
  const auto dir = FreshFolder();
  IssueRequest request;
  request.name = "ann";
  ASSERT_TRUE(Issue(chains.authority(), request, dir / "ann"));
  request.name = "ben";
  ASSERT_TRUE(Issue(chains.authority(), request, dir / "ben"));
  const auto verify = [&](const std::string& name) {
    const auto chain = ReadCertificates(dir / (name + ".pem"));
    Chains::Question question{.leaf = chain.value()[0].get(), .untrusted = {chain.value()[1].get()}};
    return chains.Verify(question);
  };
  EXPECT_EQ(verify("ann"), "ok");
  ASSERT_TRUE(Revoke(chains.authority(), dir / "ann.pem"));
  EXPECT_EQ(verify("ann"), "certificate revoked");
  EXPECT_EQ(verify("ben"), "ok");
  ASSERT_TRUE(Revoke(chains.authority(), dir / "ann.pem")) << "twice is no error";
  ASSERT_TRUE(Revoke(chains.authority(), chains.authority().CertificateFile(Branch::kUsers)));
  EXPECT_EQ(verify("ben"), "certificate revoked");
  const auto foreign = Revoke(Chains().authority(), dir / "ann.pem");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace portcullis::certs::test
