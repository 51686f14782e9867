// An authority in a temporary folder, leaves that deviate from the rules one by one, and OpenSSL's
// verifier with the product's settings: -x509_strict -crl_check_all, security level 2.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certs/authority.h"
#include "certs/sign.h"
#include "certs/x509.h"

namespace portcullis::certs::test {

std::filesystem::path FreshFolder();

struct Signer {
  X509Ptr certificate;
  KeyPtr key;
};

class Chains {
 public:
  Chains();

  const Authority& authority() const { return *authority_; }
  Signer Ca(Branch branch) const;
  // A good leaf of the branch, changed by `change` before it is signed by `ca`.
  X509Ptr Leaf(Branch branch, const Signer& ca,
               const std::function<void(CertificateTemplate&)>& change = {}) const;
  // The reason in OpenSSL's words, "ok" for a good chain. `purpose` is "ssl_client" or "ssl_server".
  struct Question {
    X509* leaf = nullptr;
    std::vector<X509*> untrusted{};
    const char* purpose = "ssl_client";
    X509* root = nullptr;  // null: the authority's
    std::vector<Branch> crls = {Branch::kRoot, Branch::kServers, Branch::kUsers, Branch::kAdmins};
    long days_ahead = 0;  // verified as of then
  };
  std::string Verify(const Question& question) const;

 private:
  std::unique_ptr<Authority> authority_;
};

std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>> Names(int type, const std::string& value);

}  // namespace portcullis::certs::test
