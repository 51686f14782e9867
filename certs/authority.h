// The small certificate authority: an offline root (10 years) and one intermediate (1 year) for each
// kind of leaf, so that a user's certificate can never be a server's or an administrator's. P-256,
// random serials, critical name constraints, pathlen:0. Files and names: README.md. RFC 5280.
// Threading: one process at a time works on a folder. Failure: an Error naming file and remedy;
// a folder that holds an authority already is never overwritten.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "certs/error.h"

namespace portcullis::certs {

// Which CA signs; also the name of its files: ca/<name>.pem, ca/<name>.key, crl/<name>.crl.
enum class Branch { kRoot, kServers, kUsers, kAdmins };
std::string_view BranchName(Branch branch);

struct AuthorityOptions {
  std::string name = "Portcullis";  // organization of every subject
  // What the servers' intermediate may sign: DNS subtrees, and addresses as "10.0.0.0/255.0.0.0".
  std::vector<std::string> permitted_dns = {"localhost", "local",  "lan",      "internal",
                                            "intranet",  "corp",   "home.arpa"};
  std::vector<std::string> permitted_ip = {"127.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0",
                                           "172.16.0.0/255.240.0.0", "192.168.0.0/255.255.0.0",
                                           "::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                           "fc00::/fe00::", "fe80::/ffc0::"};
  std::string crl_uri = "http://crl.portcullis.internal/";  // prefix; file names are appended
};

class Authority {
 public:
  // Makes keys, certificates and first CRLs under `dir`.
  static Result<Authority> Create(const std::filesystem::path& dir, const AuthorityOptions& options);
  static Result<Authority> Open(const std::filesystem::path& dir);

  const std::filesystem::path& dir() const { return dir_; }
  const std::string& name() const { return name_; }
  const std::string& crl_uri() const { return crl_uri_; }
  std::filesystem::path CertificateFile(Branch branch) const;
  std::filesystem::path KeyFile(Branch branch) const;
  std::filesystem::path CrlFile(Branch branch) const;
  std::filesystem::path RevokedFile() const;  // text: branch, serial, time, one a line
  std::filesystem::path ClientCaFile() const;   // for listeners: root and client intermediates
  std::filesystem::path ClientCrlFile() const;  // for listeners: their CRLs

 private:
  std::filesystem::path dir_;
  std::string name_;
  std::string crl_uri_;
};

}  // namespace portcullis::certs
