// A certificate in words.
#include "certs/inspect.h"

#include <arpa/inet.h>

#include <cstdio>

#include "certs/x509.h"

namespace portcullis::certs {
namespace {

std::string StringOf(const ASN1_STRING* text) {
  std::string result(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
  for (char& c : result) {
    if (c < ' ' || c == 0x7f) c = '?';
  }
  return result;
}

std::string IpText(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (ASN1_STRING_length(bytes) != 4 && ASN1_STRING_length(bytes) != 16) return "?";
  return inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof(text)) != nullptr ? text : "?";
}

std::vector<std::string> Names(const X509* certificate) {
  std::vector<std::string> result;
  const std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) result.push_back("DNS:" + StringOf(name->d.dNSName));
    if (name->type == GEN_URI) result.push_back("URI:" + StringOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_EMAIL) result.push_back("email:" + StringOf(name->d.rfc822Name));
    if (name->type == GEN_IPADD) result.push_back("IP:" + IpText(name->d.iPAddress));
  }
  return result;
}

std::string KeyText(const X509* certificate) {
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  char group[64] = "";
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1) {
    return std::string("EC ") + (std::string_view(group) == "prime256v1" ? "P-256" : group);
  }
  const char* const type = EVP_PKEY_get0_type_name(key);
  return std::string(type != nullptr ? type : "unknown") + " " + std::to_string(EVP_PKEY_get_bits(key));
}

}  // namespace

Result<std::vector<CertificateInfo>> Inspect(const std::filesystem::path& file) {
  BOOST_OUTCOME_TRY(const auto certificates, ReadCertificates(file));
  std::vector<CertificateInfo> result;
  for (const X509Ptr& certificate : certificates) {
    X509* const c = certificate.get();
    CertificateInfo info;
    info.subject = NameText(X509_get_subject_name(c));
    info.issuer = NameText(X509_get_issuer_name(c));
    info.serial = SerialText(X509_get0_serialNumber(c));
    info.not_before = TimeText(X509_get0_notBefore(c));
    info.not_after = TimeText(X509_get0_notAfter(c));
    info.expired = X509_cmp_current_time(X509_get0_notAfter(c)) <= 0;
    info.is_ca = X509_check_ca(c) > 0;
    info.names = Names(c);
    info.key = KeyText(c);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(c, EVP_sha256(), digest, &size) == 1) {
      for (unsigned i = 0; i < size; ++i) {
        char hex[3];
        std::snprintf(hex, sizeof(hex), "%02x", static_cast<unsigned>(digest[i]));
        info.sha256 += hex;
      }
    }
    (void)CryptoError("");
    result.push_back(std::move(info));
  }
  return result;
}

}  // namespace portcullis::certs
