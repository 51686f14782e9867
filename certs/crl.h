// Revocation: a text list of revoked serials per CA and the CRLs made from it. Intermediates' CRLs are
// valid 30 days, the root's a year; relying parties fail closed once one has expired, so make them
// again in time (portcullis certs crl). RFC 5280 §5.
// Threading: as authority.h. Failure: kNotFound for foreign certificates, kIo, kCrypto.
#pragma once

#include <filesystem>
#include <string>

#include "certs/authority.h"
#include "certs/error.h"

namespace portcullis::certs {

// Revokes the first certificate of a PEM file and makes its CA's CRL anew. Twice is no error.
// Returns the serial.
Result<std::string> Revoke(const Authority& authority, const std::filesystem::path& certificate);

// Makes all CRLs and the bundle for listeners. An absent (offline) root key is no error while the
// root's CRL is still good. `days` 0: the defaults above.
Result<void> MakeCrls(const Authority& authority, int days = 0);

}  // namespace portcullis::certs
