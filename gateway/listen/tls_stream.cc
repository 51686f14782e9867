// SSL_accept, SSL_read, SSL_write and SSL_shutdown with their outcomes in Stream's words.
#include "gateway/listen/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <cstdio>

namespace portcullis::gateway {
namespace {

std::string NameText(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string SerialText(const X509* certificate) {
  BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* const text = number != nullptr ? BN_bn2hex(number) : nullptr;
  std::string result = text != nullptr ? text : "";
  OPENSSL_free(text);
  BN_free(number);
  return result;
}

// The one URI; a certificate with several proves nothing in particular.
std::string OnlyUri(const X509* certificate) {
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string uri;
  int count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    ++count;
    const ASN1_IA5STRING* const text = name->d.uniformResourceIdentifier;
    uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
               static_cast<size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(names);
  const bool clean = std::all_of(uri.begin(), uri.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return count == 1 && clean ? uri : std::string();
}

ClientCertificate DescribeCertificate(const X509* certificate) {
  ClientCertificate result;
  result.san_uri = OnlyUri(certificate);
  result.subject = NameText(X509_get_subject_name(certificate));
  result.issuer = NameText(X509_get_issuer_name(certificate));
  result.serial = SerialText(certificate);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1) {
    for (unsigned i = 0; i < size; ++i) {
      char hex[3];
      std::snprintf(hex, sizeof(hex), "%02x", static_cast<unsigned>(digest[i]));
      result.sha256 += hex;
    }
  }
  return result;
}

int Clamp(size_t size) { return static_cast<int>(std::min<size_t>(size, INT_MAX)); }

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

std::unique_ptr<TlsStream> TlsStream::Accept(const TlsContext::SnapshotPtr& context, int fd) {
  SSL* const ssl = SSL_new(context.get());
  if (ssl == nullptr) return nullptr;
  std::unique_ptr<TlsStream> stream(new TlsStream(context, ssl));
  if (SSL_set_fd(ssl, fd) != 1) return nullptr;
  SSL_set_accept_state(ssl);
  return stream;
}

Stream::Outcome TlsStream::Explain(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return {Status::kWantRead};
    case SSL_ERROR_WANT_WRITE: return {Status::kWantWrite};
    case SSL_ERROR_ZERO_RETURN: return {Status::kEnd};
    default: return {Status::kFailed};
  }
}

Stream::Outcome TlsStream::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? Outcome{Status::kOk} : Explain(result);
}

Stream::Outcome TlsStream::Read(char* data, size_t size) {
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), data, Clamp(size));
  return result > 0 ? Outcome{Status::kOk, static_cast<size_t>(result)} : Explain(result);
}

Stream::Outcome TlsStream::Write(const char* data, size_t size) {
  if (size == 0) return {Status::kOk};
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), data, Clamp(size));
  return result > 0 ? Outcome{Status::kOk, static_cast<size_t>(result)} : Explain(result);
}

Stream::Outcome TlsStream::CloseNotify() {
  ERR_clear_error();
  // 0: ours is sent. Theirs is not waited for: HTTP messages carry their own lengths.
  const int result = SSL_shutdown(ssl_.get());
  return result >= 0 ? Outcome{Status::kOk} : Explain(result);
}

void TlsStream::Describe(Peer& peer) const {
  peer.tls_version = SSL_get_version(ssl_.get());
  const int group = static_cast<int>(SSL_get_negotiated_group(ssl_.get()));
  if (const char* const name = SSL_group_to_name(ssl_.get(), group)) peer.tls_group = name;
  X509* const certificate = SSL_get1_peer_certificate(ssl_.get());
  if (certificate != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK) {
    peer.certificate = DescribeCertificate(certificate);
  }
  X509_free(certificate);
}

bool TlsStream::TrustedBy(ssl_ctx_st& context) const {
  return &context == context_.get() || TrustsClient(context, *ssl_);
}

}  // namespace portcullis::gateway
