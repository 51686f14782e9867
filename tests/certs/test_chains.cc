// See test_chains.h.
#include "tests/certs/test_chains.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <atomic>
#include <ctime>

namespace portcullis::certs::test {

std::filesystem::path FreshFolder() {
  static std::atomic<int> count{0};
  const auto dir = std::filesystem::path(testing::TempDir()) /
                   ("certs-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  std::filesystem::create_directories(dir);
  return dir;
}

Chains::Chains() {
  AuthorityOptions options;
  options.name = "Test";
  auto made = Authority::Create(FreshFolder(), options);
  if (!made) throw std::runtime_error(made.error().message);
  authority_ = std::make_unique<Authority>(std::move(made.value()));
}

Signer Chains::Ca(Branch branch) const {
  Signer signer;
  signer.certificate = std::move(ReadCertificates(authority_->CertificateFile(branch)).value().front());
  signer.key = std::move(ReadPrivateKey(authority_->KeyFile(branch)).value());
  return signer;
}

std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>> Names(int type,
                                                                      const std::string& value) {
  std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>> names(sk_GENERAL_NAME_new_null());
  EXPECT_TRUE(AddGeneralName(names.get(), type, value));
  return names;
}

X509Ptr Chains::Leaf(Branch branch, const Signer& ca,
                     const std::function<void(CertificateTemplate&)>& change) const {
  const bool server = branch == Branch::kServers;
  const auto names = server ? Names(GEN_DNS, "localhost") : Names(GEN_URI, "portcullis:user:ann");
  CertificateTemplate fields;
  fields.subject = MakeName("Test", std::string(BranchName(branch)), "leaf:x");
  fields.not_after = std::time(nullptr) + 86400;
  fields.extended_key_usage = server ? "serverAuth" : "clientAuth";
  fields.names = names.get();
  if (change) change(fields);
  const KeyPtr key = NewP256Key();
  auto leaf = SignCertificate(fields, key.get(), ca.certificate.get(), ca.key.get());
  EXPECT_TRUE(leaf) << (leaf ? "" : leaf.error().message);
  return std::move(leaf.value());
}

std::string Chains::Verify(const Question& question) const {
  const std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>> store(X509_STORE_new());
  const Signer root = Ca(Branch::kRoot);
  X509_STORE_add_cert(store.get(), question.root != nullptr ? question.root : root.certificate.get());
  for (const Branch branch : question.crls) {
    const std::string text = ReadPublicFile(authority_->CrlFile(branch)).value();
    const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const CrlPtr crl(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    EXPECT_TRUE(crl && X509_STORE_add_crl(store.get(), crl.get()) == 1);
  }
  X509_STORE_set_flags(store.get(),
                       X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_X509_STRICT);
  STACK_OF(X509)* const untrusted = sk_X509_new_null();
  for (X509* certificate : question.untrusted) sk_X509_push(untrusted, certificate);
  const std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), question.leaf, untrusted);
  EXPECT_EQ(X509_STORE_CTX_set_default(context.get(), question.purpose), 1);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);
  X509_VERIFY_PARAM_set_time(parameters, std::time(nullptr) + question.days_ahead * 86400);
  X509_verify_cert(context.get());
  const int error = X509_STORE_CTX_get_error(context.get());
  sk_X509_free(untrusted);
  ERR_clear_error();
  return X509_verify_cert_error_string(error);
}

}  // namespace portcullis::certs::test
