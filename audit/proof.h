// What a stranger gets to hold: the receipt (signed at once with the acknowledgement) and the proof
// (C2SP tlog-proof: inclusion under a signed checkpoint, available once one covers the record).
// RECEIPTS in FORMAT.md. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct Receipt {
  uint32_t day = 0;  // of the key that signed it, days since 1970
  uint64_t seq = 0;
  Hash leaf_hash{};
};

// `pcr2.<base64url>`: day, seq, leaf hash and the signature of the day's key over them and the origin.
std::string MakeReceipt(const Receipt& receipt, std::string_view origin, const certs::SecretBytes& day_secret);
// What it says, unproved: to find the key of its day.
Result<Receipt> ReadReceiptUnverified(std::string_view text);
Result<Receipt> OpenReceipt(std::string_view text, std::string_view origin, const PublicKey& day_key);

struct TlogProof {
  uint64_t index = 0;
  std::vector<Hash> hashes;
  std::string checkpoint;  // a signed note
  std::string extra{};     // not under the proof; of ours: the keys of the day (receipt.h)
};
std::string FormatProof(const TlogProof& proof);
Result<TlogProof> ParseProof(std::string_view text);
// Checks the whole: the checkpoint's signature and the inclusion of the leaf.
Result<Checkpoint> VerifyProof(const TlogProof& proof, const Hash& leaf_hash, const VerifierKey& key);

}  // namespace portcullis::audit
