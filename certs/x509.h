// Owning pointers and small helpers over OpenSSL's X.509 types, shared by the files of the authority;
// the only place of the island that turns OpenSSL failures into Errors. Not for use outside certs/.
// Threading: values. Failure: kCrypto, kBadFormat, kIo; OpenSSL's error queue is left empty.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certs/error.h"
#include "certs/secret.h"

namespace portcullis::certs {

template <auto kFree>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using X509NamePtr = std::unique_ptr<X509_NAME, OpensslFree<X509_NAME_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;

// `what` failed inside OpenSSL; its reason is added.
Error CryptoError(const std::string& what);

KeyPtr NewP256Key();
X509NamePtr MakeName(const std::string& organization, const std::string& unit,
                     const std::string& common_name);
std::string NameText(const X509_NAME* name);      // RFC 2253
std::string TimeText(const ASN1_TIME* time);      // 2026-01-31T12:00:00Z
std::string SerialText(const ASN1_INTEGER* serial);  // hexadecimal, upper case

// A text in OpenSSL's extension syntax; `issuer` serves the key identifiers.
bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value);
// Appends a subject alternative name or, with `constraint`, a name constraint's base.
bool AddGeneralName(GENERAL_NAMES* names, int type, const std::string& value);
bool AddSubtree(STACK_OF(GENERAL_SUBTREE)** subtrees, int type, const std::string& value);

Result<std::string> CertificatePem(const X509* certificate);
Result<std::vector<X509Ptr>> ParseCertificates(std::string_view pem, const std::string& where);
Result<std::vector<X509Ptr>> ReadCertificates(const std::filesystem::path& path);
Result<KeyPtr> ReadPrivateKey(const std::filesystem::path& path);
// Creates the file, 0600; never overwrites.
Result<void> WritePrivateKey(const std::filesystem::path& path, EVP_PKEY* key);
// Replaces the file in one step, 0644.
Result<void> WritePublicFile(const std::filesystem::path& path, std::string_view text);
Result<std::string> ReadPublicFile(const std::filesystem::path& path);

}  // namespace portcullis::certs
