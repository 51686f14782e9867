// The list of revoked serials is a text file of lines `BRANCH SERIAL UNIX-TIME`; a CRL is made from it
// whole each time. CRL numbers are the time in milliseconds, so that they only grow.
#include "certs/crl.h"

#include <openssl/pem.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <sstream>

#include "certs/x509.h"

namespace portcullis::certs {
namespace {

constexpr Branch kAll[] = {Branch::kRoot, Branch::kServers, Branch::kUsers, Branch::kAdmins};

struct RevokedEntry {
  std::string branch;
  std::string serial;
  std::time_t time = 0;
};

Result<std::vector<RevokedEntry>> ReadRevoked(const Authority& authority) {
  BOOST_OUTCOME_TRY(const std::string text, ReadPublicFile(authority.RevokedFile()));
  std::vector<RevokedEntry> entries;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    RevokedEntry entry;
    std::string rest;
    const bool good = bool(words >> entry.branch >> entry.serial >> entry.time) && !(words >> rest) &&
                      entry.serial.size() <= 64 &&
                      entry.serial.find_first_not_of("0123456789ABCDEF") == std::string::npos;
    if (!good) {
      return Error{Code::kBadFormat, "line " + std::to_string(entries.size() + 1) + " of `" +
                                         authority.RevokedFile().string() + "` is damaged"};
    }
    entries.push_back(entry);
  }
  return entries;
}

bool AddRevoked(X509_CRL* crl, const RevokedEntry& entry) {
  BIGNUM* number = nullptr;
  BN_hex2bn(&number, entry.serial.c_str());
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> owner(number);
  const std::unique_ptr<ASN1_INTEGER, OpensslFree<ASN1_INTEGER_free>> serial(
      BN_to_ASN1_INTEGER(number, nullptr));
  const std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>> time(ASN1_TIME_set(nullptr, entry.time));
  X509_REVOKED* const revoked = X509_REVOKED_new();
  if (serial && time && revoked != nullptr &&
      X509_REVOKED_set_serialNumber(revoked, serial.get()) == 1 &&
      X509_REVOKED_set_revocationDate(revoked, time.get()) == 1 &&
      X509_CRL_add0_revoked(crl, revoked) == 1) {
    return true;
  }
  X509_REVOKED_free(revoked);
  return false;
}

bool AddCrlExtensions(X509_CRL* crl, X509* issuer) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl, 0);
  X509_EXTENSION* const key =
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto number = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::unique_ptr<ASN1_INTEGER, OpensslFree<ASN1_INTEGER_free>> value(ASN1_INTEGER_new());
  const bool ok = key != nullptr && X509_CRL_add_ext(crl, key, -1) == 1 && value &&
                  ASN1_INTEGER_set_int64(value.get(), number) == 1 &&
                  X509_CRL_add1_ext_i2d(crl, NID_crl_number, value.get(), 0, 0) == 1;
  X509_EXTENSION_free(key);
  return ok;
}

Result<void> MakeCrl(const Authority& authority, Branch branch, int days,
                     const std::vector<RevokedEntry>& revoked) {
  BOOST_OUTCOME_TRY(const auto issuer, ReadCertificates(authority.CertificateFile(branch)));
  BOOST_OUTCOME_TRY(const KeyPtr key, ReadPrivateKey(authority.KeyFile(branch)));
  X509* const ca = issuer.front().get();
  const CrlPtr crl(X509_CRL_new());
  const std::time_t now = std::time(nullptr);
  const std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>> last(ASN1_TIME_set(nullptr, now - 300));
  const std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>> next(
      ASN1_TIME_adj(nullptr, now, days, 0));
  bool ok = crl && last && next && X509_CRL_set_version(crl.get(), 1) == 1 &&
            X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(ca)) == 1 &&
            X509_CRL_set1_lastUpdate(crl.get(), last.get()) == 1 &&
            X509_CRL_set1_nextUpdate(crl.get(), next.get()) == 1;
  for (const RevokedEntry& entry : revoked) {
    if (entry.branch == BranchName(branch)) ok = ok && AddRevoked(crl.get(), entry);
  }
  ok = ok && X509_CRL_sort(crl.get()) == 1 && AddCrlExtensions(crl.get(), ca) &&
       X509_CRL_sign(crl.get(), key.get(), EVP_sha256()) > 0;
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!ok || !out || PEM_write_bio_X509_CRL(out.get(), crl.get()) != 1) {
    return CryptoError("cannot make a CRL");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return WritePublicFile(authority.CrlFile(branch), {data, static_cast<size_t>(size)});
}

// Whether the CRL in the file is still good for a while.
bool IsCurrent(const std::filesystem::path& path) {
  const auto text = ReadPublicFile(path);
  if (!text) return false;
  const BioPtr bio(BIO_new_mem_buf(text.value().data(), static_cast<int>(text.value().size())));
  const CrlPtr crl(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  return crl && X509_CRL_get0_nextUpdate(crl.get()) != nullptr &&
         X509_cmp_current_time(X509_CRL_get0_nextUpdate(crl.get())) > 0;
}

Result<void> BundleForListeners(const Authority& authority) {
  std::string bundle;
  for (const Branch branch : {Branch::kRoot, Branch::kUsers, Branch::kAdmins}) {
    BOOST_OUTCOME_TRY(const std::string text, ReadPublicFile(authority.CrlFile(branch)));
    bundle += text;
  }
  return WritePublicFile(authority.ClientCrlFile(), bundle);
}

std::optional<Branch> IssuerOf(const Authority& authority, X509* certificate) {
  for (const Branch branch : kAll) {
    const auto issuer = ReadCertificates(authority.CertificateFile(branch));
    if (!issuer) continue;
    EVP_PKEY* const key = X509_get0_pubkey(issuer.value().front().get());
    if (X509_verify(certificate, key) == 1) return branch;
  }
  return std::nullopt;
}

}  // namespace

Result<void> MakeCrls(const Authority& authority, int days) {
  if (days < 0 || days > 366) return Error{Code::kInvalidArgument, "--days must be 1 to 366"};
  BOOST_OUTCOME_TRY(const auto revoked, ReadRevoked(authority));
  for (const Branch branch : kAll) {
    const bool root = branch == Branch::kRoot;
    if (root && !std::filesystem::exists(authority.KeyFile(branch))) {
      if (IsCurrent(authority.CrlFile(branch))) continue;
      return Error{Code::kExpired, "the root's CRL has expired: bring back `" +
                                       authority.KeyFile(branch).string() + "` to make a new one"};
    }
    BOOST_OUTCOME_TRY(MakeCrl(authority, branch, days != 0 ? days : root ? 365 : 30, revoked));
  }
  return BundleForListeners(authority);
}

Result<std::string> Revoke(const Authority& authority, const std::filesystem::path& file) {
  BOOST_OUTCOME_TRY(const auto certificates, ReadCertificates(file));
  X509* const certificate = certificates.front().get();
  const std::optional<Branch> branch = IssuerOf(authority, certificate);
  (void)CryptoError("");
  if (!branch) {
    return Error{Code::kNotFound, "`" + file.string() + "` was not issued by this authority"};
  }
  const std::string serial = SerialText(X509_get0_serialNumber(certificate));
  BOOST_OUTCOME_TRY(const auto revoked, ReadRevoked(authority));
  BOOST_OUTCOME_TRY(std::string text, ReadPublicFile(authority.RevokedFile()));
  bool known = false;
  for (const RevokedEntry& entry : revoked) {
    known = known || (entry.serial == serial && entry.branch == BranchName(*branch));
  }
  if (!known) {
    text += std::string(BranchName(*branch)) + " " + serial + " " +
            std::to_string(std::time(nullptr)) + "\n";
    BOOST_OUTCOME_TRY(WritePublicFile(authority.RevokedFile(), text));
  }
  BOOST_OUTCOME_TRY(MakeCrls(authority));
  return serial;
}

}  // namespace portcullis::certs
