// Helpers over OpenSSL 3; see x509.h.
#include "certs/x509.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <system_error>

#include "certs/keyfile.h"

namespace portcullis::certs {
namespace {

constexpr size_t kMaxPem = 1 << 20;

std::string TakeText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

Error IoError(const std::string& what, const std::filesystem::path& path, int code) {
  return Error{Code::kIo, what + " `" + path.string() + "`: " + std::generic_category().message(code)};
}

int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

Error CryptoError(const std::string& what) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  Error error{Code::kCrypto, what + (reason != nullptr ? std::string(": ") + reason : "")};
  ERR_clear_error();
  return error;
}

KeyPtr NewP256Key() { return KeyPtr(EVP_EC_gen("P-256")); }

X509NamePtr MakeName(const std::string& organization, const std::string& unit,
                     const std::string& common_name) {
  X509NamePtr name(X509_NAME_new());
  const auto add = [&](const char* field, const std::string& value) {
    return value.empty() ||
           X509_NAME_add_entry_by_txt(name.get(), field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  if (!name || !add("O", organization) || !add("OU", unit) || !add("CN", common_name)) return nullptr;
  return name;
}

std::string NameText(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  return TakeText(out.get());
}

std::string TimeText(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return {};
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc));
}

std::string SerialText(const ASN1_INTEGER* serial) {
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> number(ASN1_INTEGER_to_BN(serial, nullptr));
  char* const text = number ? BN_bn2hex(number.get()) : nullptr;
  std::string result = text != nullptr ? text : "";
  OPENSSL_free(text);
  return result;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  const bool ok = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return ok;
}

bool AddGeneralName(GENERAL_NAMES* names, int type, const std::string& value) {
  GENERAL_NAME* const name =
      a2i_GENERAL_NAME(nullptr, nullptr, nullptr, type, value.c_str(), 0);
  if (name == nullptr) return false;
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

bool AddSubtree(STACK_OF(GENERAL_SUBTREE)** subtrees, int type, const std::string& value) {
  if (*subtrees == nullptr) *subtrees = sk_GENERAL_SUBTREE_new_null();
  GENERAL_SUBTREE* const subtree = GENERAL_SUBTREE_new();
  if (*subtrees == nullptr || subtree == nullptr) return false;
  if (a2i_GENERAL_NAME(subtree->base, nullptr, nullptr, type, value.c_str(), 1) != nullptr &&
      sk_GENERAL_SUBTREE_push(*subtrees, subtree) > 0) {
    return true;
  }
  GENERAL_SUBTREE_free(subtree);
  return false;
}

Result<std::string> CertificatePem(const X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), certificate) != 1) {
    return CryptoError("cannot write a certificate");
  }
  return TakeText(out.get());
}

Result<std::vector<X509Ptr>> ParseCertificates(std::string_view pem, const std::string& where) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !ended) {
    return Error{Code::kBadFormat, "`" + where + "` does not hold PEM certificates"};
  }
  return certificates;
}

Result<std::string> ReadPublicFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{Code::kNotFound, "cannot open `" + path.string() + "`"};
  }
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.size() > kMaxPem) return Error{Code::kBadFormat, "`" + path.string() + "` exceeds 1 MiB"};
  return text;
}

Result<std::vector<X509Ptr>> ReadCertificates(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const std::string text, ReadPublicFile(path));
  return ParseCertificates(text, path.string());
}

Result<KeyPtr> ReadPrivateKey(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(const SecretBytes secret, ReadSecretFile(path, kMaxPem));
  const BioPtr bio(BIO_new_mem_buf(secret.data(), static_cast<int>(secret.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (!key) return Error{Code::kBadFormat, "`" + path.string() + "` is not a PEM private key"};
  return key;
}

Result<void> WritePrivateKey(const std::filesystem::path& path, EVP_PKEY* key) {
  const BioPtr out(BIO_new(BIO_s_secmem()));
  if (!out || PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return CryptoError("cannot write a private key");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  auto written = WriteSecretFile(
      path, {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)});
  OPENSSL_cleanse(data, static_cast<size_t>(size));
  return written;
}

Result<void> WritePublicFile(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return IoError("cannot create", fresh, errno);
  bool ok = ::fchmod(fd, 0644) == 0;
  while (ok && !text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0;
    if (ok) text.remove_prefix(static_cast<size_t>(n));
  }
  ok = ok && ::fsync(fd) == 0;
  const int code = errno;
  ::close(fd);
  if (!ok || ::rename(fresh.c_str(), path.c_str()) != 0) {
    const Error error = IoError("cannot write", path, ok ? errno : code);
    ::unlink(fresh.c_str());
    return error;
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::certs
