// One X.509 v3 certificate, field by field.
#include "certs/sign.h"

#include <openssl/rand.h>

namespace portcullis::certs {
namespace {

// 159 random bits: positive, and over the 64 that the CA/Browser Forum asks for.
bool SetRandomSerial(X509* certificate) {
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

}  // namespace

Result<X509Ptr> SignCertificate(const CertificateTemplate& fields, EVP_PKEY* key, X509* issuer,
                                EVP_PKEY* issuer_key) {
  constexpr std::time_t kClockSkew = 300;
  X509Ptr certificate(X509_new());
  X509* const c = certificate.get();
  if (c == nullptr || !fields.subject || key == nullptr) return CryptoError("cannot make a certificate");
  X509* const signer = issuer != nullptr ? issuer : c;
  const bool filled =
      X509_set_version(c, 2) == 1 && SetRandomSerial(c) &&
      X509_set_subject_name(c, fields.subject.get()) == 1 && X509_set_pubkey(c, key) == 1 &&
      ASN1_TIME_set(X509_getm_notBefore(c), std::time(nullptr) - kClockSkew) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(c), fields.not_after) != nullptr &&
      X509_set_issuer_name(c, X509_get_subject_name(signer)) == 1 &&
      AddExtension(c, signer, NID_basic_constraints, fields.basic_constraints) &&
      AddExtension(c, signer, NID_key_usage, fields.key_usage) &&
      (fields.extended_key_usage == nullptr ||
       AddExtension(c, signer, NID_ext_key_usage, fields.extended_key_usage)) &&
      AddExtension(c, signer, NID_subject_key_identifier, "hash") &&
      AddExtension(c, signer, NID_authority_key_identifier, "keyid:always") &&
      (fields.crl_uri.empty() ||
       AddExtension(c, signer, NID_crl_distribution_points, ("URI:" + fields.crl_uri).c_str())) &&
      (fields.names == nullptr ||
       X509_add1_ext_i2d(c, NID_subject_alt_name, fields.names, 0, 0) == 1) &&
      (fields.constraints == nullptr ||
       X509_add1_ext_i2d(c, NID_name_constraints, fields.constraints, 1, 0) == 1);
  if (!filled || X509_sign(c, issuer_key, EVP_sha256()) == 0) {
    return CryptoError("cannot make a certificate");
  }
  return certificate;
}

}  // namespace portcullis::certs
