// Who checks a receipt, and against what. Its holder has the log's verifier key and the proof that the log gives
// for the record: it carries, as the extra data of tlog-proof, the keys of the record's day, endorsed by the log
// key. A verifier of the whole log has the list `days`. RECEIPTS in FORMAT.md. Pure, but for LoadReceipts; no
// state. What is not signed as it must be is kTampered, what is no receipt or no proof kBadFormat.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/daykey.h"
#include "audit/error.h"
#include "audit/note.h"
#include "audit/proof.h"

namespace portcullis::audit {

// A day's key as the log key vouches for it: what a segment's header says, too.
struct EndorsedKey {
  uint32_t day = 0;  // since 1970, UTC
  PublicKey key{};
  Signature endorsement{};
};
inline constexpr size_t kMaxEndorsedKeys = 64;  // in one proof

std::string EncodeDayKeys(std::span<const EndorsedKey> keys);
// Fails when one of the endorsements is not by `log_key`.
Result<DayList> OpenDayKeys(std::string_view extra, const VerifierKey& log_key);

// The receipt, when one of these keys of its day has signed it. kNotFound when there is none of that day.
Result<Receipt> OpenReceipt(std::string_view text, const std::string& origin, const DayList& days);

// That the record of the receipt stands in the log: the checkpoint that the proof leads to. `leaf` may be empty;
// with it, kForked says that the log itself shows another record in that place.
Result<Checkpoint> CheckInclusion(const Receipt& receipt, const TlogProof& proof, std::string_view leaf,
                                  const VerifierKey& log_key);

// A receipt as it is, or all that stand in a file (one a line, or headers as they came). At least one.
Result<std::vector<std::string>> LoadReceipts(const std::string& text_or_file);

}  // namespace portcullis::audit
