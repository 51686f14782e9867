// Says in words what a certificate file holds, for `portcullis certs show` and the console.
// Threading: reentrant. Failure: kNotFound, kBadFormat.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "certs/error.h"

namespace portcullis::certs {

struct CertificateInfo {
  std::string subject;
  std::string issuer;
  std::string serial;
  std::string not_before;
  std::string not_after;
  bool expired = false;
  bool is_ca = false;
  std::vector<std::string> names;  // "DNS:localhost", "IP:127.0.0.1", "URI:portcullis:user:ann"
  std::string key;                 // "EC P-256"
  std::string sha256;              // hexadecimal, lower case
};

Result<std::vector<CertificateInfo>> Inspect(const std::filesystem::path& file);

}  // namespace portcullis::certs
