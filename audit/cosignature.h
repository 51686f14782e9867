// Witness cosignatures, c2sp.org/tlog-cosignature, Ed25519 (cosignature/v1): a witness states that at
// that time the largest tree it has seen of the log has this size and root. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/note.h"
#include "certs/secret.h"

namespace portcullis::audit {

// The signature line that `witness` (of type kCosignature) puts under the checkpoint's text.
std::string Cosign(std::string_view checkpoint_text, uint64_t time, const VerifierKey& witness,
                   const certs::SecretBytes& secret);

struct Cosigned {
  VerifierKey witness;
  uint64_t time = 0;  // seconds since 1970
  std::string line;   // with its newline
};
// The valid cosignatures by the given witnesses; unknown signers are ignored, a wrong signature of a
// known one is an error (kTampered).
Result<std::vector<Cosigned>> Cosignatures(const Note& note, std::span<const VerifierKey> witnesses);

}  // namespace portcullis::audit
