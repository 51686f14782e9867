// One part of one record, given away: its ciphertext, its own key and the proof that the record stands in
// the log. Opens that part and nothing else, neither the other parts of the record nor any other record.
// Made by who can open the record (an auditor with the subject's key), sealed to the public key of who
// receives it; that one needs nothing but its secret key and the log's verifier key. PART RELEASE FILE in
// FORMAT.md. Pure.
#pragma once

#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/note.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "certs/secret.h"

namespace portcullis::audit {

// kNotFound when the record has no such part. `proof` is a tlog-proof of the leaf.
Result<std::string> SealPartRelease(std::string_view origin, const AuditorKey& recipient, const Leaf& leaf,
                                    std::string_view payload, PartType type, const certs::SecretBytes& part_key,
                                    std::string_view proof);

struct ReleasedPart {
  Leaf leaf;
  Hash leaf_hash{};
  Part part;
  Checkpoint checkpoint;  // that covers the record
};
// Checks everything: the seal, the proof under the log's key, the part's place in the record, its key.
Result<ReleasedPart> OpenPartRelease(std::string_view file, const VerifierKey& log_key,
                                     const certs::SecretBytes& recipient_secret);

}  // namespace portcullis::audit
