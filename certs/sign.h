// What the authority and its leaves share: filling in and signing one certificate.
// Threading: values. Failure: kCrypto.
#pragma once

#include <ctime>
#include <string>

#include "certs/authority.h"
#include "certs/x509.h"

namespace portcullis::certs {

struct CertificateTemplate {
  X509NamePtr subject;
  std::time_t not_after = 0;
  const char* basic_constraints = "critical,CA:FALSE";
  const char* key_usage = "critical,digitalSignature";
  const char* extended_key_usage = nullptr;  // null: none
  std::string crl_uri;                       // empty: none
  GENERAL_NAMES* names = nullptr;            // borrowed
  NAME_CONSTRAINTS* constraints = nullptr;   // borrowed
};

// Signs `key`'s public half. A null issuer makes the certificate self-signed.
Result<X509Ptr> SignCertificate(const CertificateTemplate& fields, EVP_PKEY* key, X509* issuer,
                                EVP_PKEY* issuer_key);

}  // namespace portcullis::certs
