// Issues leaf certificates: servers (90 days, DNS and IP names), users and administrators (24 hours
// to 30 days, URI `portcullis:user:NAME` or `portcullis:admin:NAME`). Names outside the CA's
// constraints are refused before anything is signed; a leaf never outlives its CA.
// Threading: as authority.h. Failure: kInvalidArgument for names and days, kExists for files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "certs/authority.h"
#include "certs/error.h"

namespace portcullis::certs {

struct IssueRequest {
  Branch branch = Branch::kUsers;  // not kRoot
  std::string name;                // 1-64 of a-z A-Z 0-9 . _ - @
  std::vector<std::string> dns;    // servers only; `name` is used when both lists are empty
  std::vector<std::string> ip;     // servers only
  int days = 0;                    // 0: 90 for servers, 30 for users and administrators
};

struct Issued {
  std::filesystem::path chain_file;  // BASE.pem: leaf, then intermediate
  std::filesystem::path key_file;    // BASE.key
  std::string serial;                // hexadecimal
  std::string not_after;             // 2026-01-31T12:00:00Z
};

// Writes BASE.pem and BASE.key; `base` without its extension. Existing files are never replaced.
Result<Issued> Issue(const Authority& authority, const IssueRequest& request,
                     const std::filesystem::path& base);

}  // namespace portcullis::certs
