// Making an authority: root, three intermediates, their first CRLs. The name constraints are what
// keeps the branches apart even where a relying party checks nothing but the chain: each
// intermediate may only sign subjects of its own organizational unit; the servers' one only the
// permitted DNS names and addresses, the others no DNS name and no address at all.
#include "certs/authority.h"

#include <algorithm>
#include <ctime>

#include "certs/crl.h"
#include "certs/sign.h"
#include "certs/x509.h"

namespace portcullis::certs {
namespace {

constexpr std::time_t kDay = 24 * 60 * 60;
constexpr Branch kIntermediates[] = {Branch::kServers, Branch::kUsers, Branch::kAdmins};

using ConstraintsPtr = std::unique_ptr<NAME_CONSTRAINTS, OpensslFree<NAME_CONSTRAINTS_free>>;

bool PermitSubjects(NAME_CONSTRAINTS* constraints, const std::string& organization, Branch branch) {
  X509NamePtr base = MakeName(organization, std::string(BranchName(branch)), "");
  GENERAL_SUBTREE* const subtree = GENERAL_SUBTREE_new();
  if (constraints->permittedSubtrees == nullptr) {
    constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
  }
  if (!base || subtree == nullptr || constraints->permittedSubtrees == nullptr) return false;
  GENERAL_NAME_set0_value(subtree->base, GEN_DIRNAME, base.release());
  return sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) > 0;
}

Result<ConstraintsPtr> MakeConstraints(const AuthorityOptions& options, Branch branch) {
  ConstraintsPtr constraints(NAME_CONSTRAINTS_new());
  if (!constraints || !PermitSubjects(constraints.get(), options.name, branch)) {
    return CryptoError("cannot make name constraints");
  }
  if (branch == Branch::kServers) {
    for (const std::string& dns : options.permitted_dns) {
      if (!AddSubtree(&constraints->permittedSubtrees, GEN_DNS, dns)) {
        return Error{Code::kInvalidArgument, "`" + dns + "` is not a domain"};
      }
    }
    for (const std::string& ip : options.permitted_ip) {
      if (!AddSubtree(&constraints->permittedSubtrees, GEN_IPADD, ip)) {
        return Error{Code::kInvalidArgument, "`" + ip + "` is not ADDRESS/MASK, as in 10.0.0.0/255.0.0.0"};
      }
    }
    if (!AddSubtree(&constraints->excludedSubtrees, GEN_URI, "invalid")) {
      return CryptoError("cannot make name constraints");
    }
  } else if (!AddSubtree(&constraints->excludedSubtrees, GEN_DNS, "") ||
             !AddSubtree(&constraints->excludedSubtrees, GEN_IPADD, "0.0.0.0/0.0.0.0") ||
             !AddSubtree(&constraints->excludedSubtrees, GEN_IPADD, "::/::")) {
    return CryptoError("cannot make name constraints");
  }
  return constraints;
}

Result<X509Ptr> MakeRoot(const AuthorityOptions& options, EVP_PKEY* key) {
  CertificateTemplate fields;
  fields.subject = MakeName(options.name, "", options.name + " root CA");
  fields.not_after = std::time(nullptr) + 3650 * kDay;
  fields.basic_constraints = "critical,CA:TRUE,pathlen:1";
  fields.key_usage = "critical,keyCertSign,cRLSign";
  return SignCertificate(fields, key, nullptr, key);
}

Result<X509Ptr> MakeIntermediate(const AuthorityOptions& options, Branch branch, EVP_PKEY* key,
                                 X509* root, EVP_PKEY* root_key) {
  BOOST_OUTCOME_TRY(const ConstraintsPtr constraints, MakeConstraints(options, branch));
  CertificateTemplate fields;
  fields.subject =
      MakeName(options.name, "authorities", options.name + " " + std::string(BranchName(branch)) + " CA");
  fields.not_after = std::time(nullptr) + 365 * kDay;
  fields.basic_constraints = "critical,CA:TRUE,pathlen:0";
  fields.key_usage = "critical,keyCertSign,cRLSign";
  fields.extended_key_usage = branch == Branch::kServers ? "serverAuth" : "clientAuth";
  fields.crl_uri = options.crl_uri + "root.crl";
  fields.constraints = constraints.get();
  return SignCertificate(fields, key, root, root_key);
}

Result<void> Store(const Authority& authority, Branch branch, const X509* certificate, EVP_PKEY* key) {
  BOOST_OUTCOME_TRY(WritePrivateKey(authority.KeyFile(branch), key));
  BOOST_OUTCOME_TRY(const std::string pem, CertificatePem(certificate));
  return WritePublicFile(authority.CertificateFile(branch), pem);
}

bool IsPrintable(const std::string& text) {
  return !text.empty() && text.size() <= 48 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

Result<void> CheckOptions(const AuthorityOptions& options) {
  if (!IsPrintable(options.name)) {
    return Error{Code::kInvalidArgument, "the authority's name must be 1 to 48 printable characters"};
  }
  const bool uri_clean = std::all_of(options.crl_uri.begin(), options.crl_uri.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != ',';
  });
  if (!options.crl_uri.starts_with("http://") || !options.crl_uri.ends_with('/') || !uri_clean) {
    return Error{Code::kInvalidArgument, "the CRL address must be http://HOST/PATH/ with a final slash"};
  }
  return boost::outcome_v2::success();
}

Result<void> MakeFolders(const std::filesystem::path& dir) {
  std::error_code ec;
  for (const char* const sub : {"ca", "crl"}) {
    std::filesystem::create_directories(dir / sub, ec);
    if (ec) return Error{Code::kIo, "cannot create `" + (dir / sub).string() + "`: " + ec.message()};
  }
  std::filesystem::permissions(dir / "ca", std::filesystem::perms::owner_all, ec);
  return boost::outcome_v2::success();
}

}  // namespace

std::string_view BranchName(Branch branch) {
  switch (branch) {
    case Branch::kRoot: return "root";
    case Branch::kServers: return "servers";
    case Branch::kUsers: return "users";
    case Branch::kAdmins: return "admins";
  }
  return "root";
}

std::filesystem::path Authority::CertificateFile(Branch branch) const {
  return dir_ / "ca" / (std::string(BranchName(branch)) + ".pem");
}
std::filesystem::path Authority::KeyFile(Branch branch) const {
  return dir_ / "ca" / (std::string(BranchName(branch)) + ".key");
}
std::filesystem::path Authority::CrlFile(Branch branch) const {
  return dir_ / "crl" / (std::string(BranchName(branch)) + ".crl");
}
std::filesystem::path Authority::RevokedFile() const { return dir_ / "ca" / "revoked"; }
std::filesystem::path Authority::ClientCaFile() const { return dir_ / "ca" / "clients.pem"; }
std::filesystem::path Authority::ClientCrlFile() const { return dir_ / "crl" / "clients.crl"; }

Result<Authority> Authority::Create(const std::filesystem::path& dir,
                                    const AuthorityOptions& options) {
  BOOST_OUTCOME_TRY(CheckOptions(options));
  Authority authority;
  authority.dir_ = dir;
  authority.name_ = options.name;
  authority.crl_uri_ = options.crl_uri;
  if (std::filesystem::exists(authority.KeyFile(Branch::kRoot)) ||
      std::filesystem::exists(authority.CertificateFile(Branch::kRoot))) {
    return Error{Code::kExists, "`" + dir.string() + "` holds an authority already: choose another folder"};
  }
  BOOST_OUTCOME_TRY(MakeFolders(dir));
  const KeyPtr root_key = NewP256Key();
  if (!root_key) return CryptoError("cannot make a key");
  BOOST_OUTCOME_TRY(const X509Ptr root, MakeRoot(options, root_key.get()));
  std::string clients;
  BOOST_OUTCOME_TRY(clients, CertificatePem(root.get()));
  for (const Branch branch : kIntermediates) {
    const KeyPtr key = NewP256Key();
    if (!key) return CryptoError("cannot make a key");
    BOOST_OUTCOME_TRY(const X509Ptr certificate,
                      MakeIntermediate(options, branch, key.get(), root.get(), root_key.get()));
    BOOST_OUTCOME_TRY(Store(authority, branch, certificate.get(), key.get()));
    BOOST_OUTCOME_TRY(const std::string pem, CertificatePem(certificate.get()));
    if (branch != Branch::kServers) clients += pem;
  }
  BOOST_OUTCOME_TRY(WritePublicFile(authority.ClientCaFile(), clients));
  BOOST_OUTCOME_TRY(WritePublicFile(dir / "ca" / "authority.conf",
                                    "name=" + options.name + "\ncrl_uri=" + options.crl_uri + "\n"));
  BOOST_OUTCOME_TRY(WritePublicFile(authority.RevokedFile(), ""));
  BOOST_OUTCOME_TRY(Store(authority, Branch::kRoot, root.get(), root_key.get()));
  BOOST_OUTCOME_TRY(MakeCrls(authority));
  return authority;
}

Result<Authority> Authority::Open(const std::filesystem::path& dir) {
  Authority authority;
  authority.dir_ = dir;
  const auto text = ReadPublicFile(dir / "ca" / "authority.conf");
  if (!text) {
    return Error{Code::kNotFound, "`" + dir.string() +
                                      "` holds no authority: make one with `portcullis certs init --dir " +
                                      dir.string() + "`"};
  }
  const std::string& conf = text.value();
  const size_t line = conf.find('\n');
  const size_t end = conf.find('\n', line == std::string::npos ? line : line + 1);
  if (!conf.starts_with("name=") || end == std::string::npos ||
      conf.compare(line + 1, 8, "crl_uri=") != 0) {
    return Error{Code::kBadFormat, "`" + (dir / "ca" / "authority.conf").string() + "` is damaged"};
  }
  authority.name_ = conf.substr(5, line - 5);
  authority.crl_uri_ = conf.substr(line + 9, end - line - 9);
  return authority;
}

}  // namespace portcullis::certs
