// Leaves. The subject is O=<authority>, OU=<branch>, CN=<kind>:<name>; the colon keeps a user's name
// from ever being read as a host name. What a leaf proves is in its subject alternative name.
#include "certs/issue.h"

#include <algorithm>
#include <ctime>

#include "certs/sign.h"
#include "certs/x509.h"

namespace portcullis::certs {
namespace {

constexpr std::time_t kDay = 24 * 60 * 60;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '@';
  });
}

bool IsDns(const std::string& name) {
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-';
         });
}

Result<NamesPtr> MakeNames(const IssueRequest& request) {
  NamesPtr names(sk_GENERAL_NAME_new_null());
  if (!names) return CryptoError("cannot make a certificate");
  if (request.branch != Branch::kServers) {
    const std::string kind = request.branch == Branch::kAdmins ? "admin" : "user";
    if (!AddGeneralName(names.get(), GEN_URI, "portcullis:" + kind + ":" + request.name)) {
      return CryptoError("cannot make a certificate");
    }
    return names;
  }
  std::vector<std::string> dns = request.dns;
  if (dns.empty() && request.ip.empty()) dns.push_back(request.name);
  for (const std::string& name : dns) {
    if (!IsDns(name) || !AddGeneralName(names.get(), GEN_DNS, name)) {
      return Error{Code::kInvalidArgument, "`" + name + "` is not a DNS name"};
    }
  }
  for (const std::string& ip : request.ip) {
    if (!AddGeneralName(names.get(), GEN_IPADD, ip)) {
      (void)CryptoError("");
      return Error{Code::kInvalidArgument, "`" + ip + "` is not an IP address"};
    }
  }
  return names;
}

Result<std::time_t> ExpiryOf(const IssueRequest& request, const X509* issuer) {
  const bool server = request.branch == Branch::kServers;
  const int longest = server ? 90 : 30;
  const int days = request.days == 0 ? longest : request.days;
  if (days < 1 || days > longest) {
    return Error{Code::kInvalidArgument,
                 "--days must be 1 to " + std::to_string(longest) + " for this kind of certificate"};
  }
  std::tm utc{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(issuer), &utc) != 1) return CryptoError("cannot read a time");
  const std::time_t issuer_end = timegm(&utc);
  const std::time_t now = std::time(nullptr);
  if (issuer_end <= now + kDay) {
    return Error{Code::kExpired, "the intermediate CA expires within a day: make a new authority"};
  }
  return std::min(now + days * kDay, issuer_end);
}

}  // namespace

Result<Issued> Issue(const Authority& authority, const IssueRequest& request,
                     const std::filesystem::path& base) {
  if (request.branch == Branch::kRoot) {
    return Error{Code::kInvalidArgument, "the root signs intermediates only"};
  }
  if (!IsName(request.name)) {
    return Error{Code::kInvalidArgument,
                 "a name must be 1 to 64 of the characters a-z A-Z 0-9 . _ - @"};
  }
  const bool server = request.branch == Branch::kServers;
  if (!server && (!request.dns.empty() || !request.ip.empty())) {
    return Error{Code::kInvalidArgument, "only servers have DNS names and addresses"};
  }
  BOOST_OUTCOME_TRY(const auto issuer, ReadCertificates(authority.CertificateFile(request.branch)));
  BOOST_OUTCOME_TRY(const KeyPtr issuer_key, ReadPrivateKey(authority.KeyFile(request.branch)));
  BOOST_OUTCOME_TRY(const NamesPtr names, MakeNames(request));
  X509* const ca = issuer.front().get();

  CertificateTemplate fields;
  const std::string kind = server ? "server" : request.branch == Branch::kAdmins ? "admin" : "user";
  // X.520 allows 64 characters; the alternative name holds the whole.
  fields.subject = MakeName(authority.name(), std::string(BranchName(request.branch)),
                            (kind + ":" + request.name).substr(0, 64));
  BOOST_OUTCOME_TRY(fields.not_after, ExpiryOf(request, ca));
  fields.extended_key_usage = server ? "serverAuth" : "clientAuth";
  fields.crl_uri = authority.crl_uri() + std::string(BranchName(request.branch)) + ".crl";
  fields.names = names.get();
  const KeyPtr key = NewP256Key();
  BOOST_OUTCOME_TRY(const X509Ptr leaf, SignCertificate(fields, key.get(), ca, issuer_key.get()));

  NAME_CONSTRAINTS* const constraints = static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(ca, NID_name_constraints, nullptr, nullptr));
  // The check reads names that OpenSSL caches on first use.
  const bool cached = X509_check_purpose(leaf.get(), -1, 0) >= 0;
  const bool allowed =
      cached && constraints != nullptr && NAME_CONSTRAINTS_check(leaf.get(), constraints) == X509_V_OK;
  NAME_CONSTRAINTS_free(constraints);
  if (!allowed) {
    return Error{Code::kInvalidArgument,
                 "a name is outside what this CA may sign: name the domain or network at `certs init`"};
  }

  Issued issued;
  issued.chain_file = base.string() + ".pem";
  issued.key_file = base.string() + ".key";
  if (std::filesystem::exists(issued.chain_file)) {
    return Error{Code::kExists, "`" + issued.chain_file.string() + "` exists: choose another --out"};
  }
  BOOST_OUTCOME_TRY(std::string chain, CertificatePem(leaf.get()));
  BOOST_OUTCOME_TRY(const std::string ca_pem, CertificatePem(ca));
  BOOST_OUTCOME_TRY(WritePrivateKey(issued.key_file, key.get()));
  BOOST_OUTCOME_TRY(WritePublicFile(issued.chain_file, chain + ca_pem));
  issued.serial = SerialText(X509_get0_serialNumber(leaf.get()));
  issued.not_after = TimeText(X509_get0_notAfter(leaf.get()));
  return issued;
}

}  // namespace portcullis::certs
