#include "audit/receipt.h"

#include <algorithm>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/segment.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

constexpr size_t kEntry = 4 + 32 + 64;  // day, key, endorsement
constexpr std::string_view kPrefix = "pcr2.";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kMaxFile = 16u << 20;  // bytes, about 100,000 receipts

std::vector<std::string> FindReceipts(std::string_view text) {
  std::vector<std::string> found;
  for (size_t at = text.find(kPrefix); at != std::string_view::npos; at = text.find(kPrefix, at)) {
    const size_t end = std::min(text.find_first_not_of(kAlphabet, at + kPrefix.size()), text.size());
    found.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

}  // namespace

std::string EncodeDayKeys(std::span<const EndorsedKey> keys) {
  std::string bytes;
  ByteWriter out(bytes);
  for (const EndorsedKey& one : keys) {
    out.Put(one.day);
    out.PutBytes(one.key);
    out.PutBytes(one.endorsement);
  }
  return bytes;
}

Result<DayList> OpenDayKeys(std::string_view extra, const VerifierKey& log_key) {
  if (extra.size() % kEntry != 0 || extra.size() > kEntry * kMaxEndorsedKeys) {
    return Error{Code::kBadFormat, "the proof's extra data is not a list of day keys"};
  }
  DayList list;
  ByteReader in(extra);
  for (size_t i = 0; i < extra.size() / kEntry; ++i) {
    const uint32_t day = in.Get<uint32_t>();
    const PublicKey key = in.GetArray<32>();
    const Signature endorsement = in.GetArray<64>();
    if (!VerifyEd25519(EndorsementText(log_key.name, day, key), endorsement, log_key.key)) {
      return Error{Code::kTampered, "the proof's key of " + DayName(day) + " is not endorsed by the log key given"};
    }
    list.keys.emplace(DayName(day), key);
  }
  return list;
}

Result<Receipt> OpenReceipt(std::string_view text, const std::string& origin, const DayList& days) {
  BOOST_OUTCOME_TRY(const Receipt said, ReadReceiptUnverified(text));
  const auto [begin, end] = days.keys.equal_range(DayName(said.day));
  // No more than a proof may carry: a list with a thousand keys of one day would make the check of many receipts endless.
  size_t tried = 0;
  for (auto entry = begin; entry != end && tried < kMaxEndorsedKeys; ++entry, ++tried) {
    if (auto opened = OpenReceipt(text, origin, entry->second)) return opened;
  }
  if (begin == end) {
    return Error{Code::kNotFound, "the log's key of " + DayName(said.day) + ", which signs it, is not known here"};
  }
  return Error{Code::kTampered, "it is signed by no key that the log had on " + DayName(said.day)};
}

Result<Checkpoint> CheckInclusion(const Receipt& receipt, const TlogProof& proof, std::string_view leaf,
                                  const VerifierKey& log_key) {
  if (proof.index != receipt.seq) {
    return Error{Code::kInvalidArgument, "the proof is of record " + std::to_string(proof.index) + ", the receipt of record " +
                                             std::to_string(receipt.seq)};
  }
  if (leaf.empty() || LeafHash(leaf) == receipt.leaf_hash) return VerifyProof(proof, receipt.leaf_hash, log_key);
  if (auto other = VerifyProof(proof, LeafHash(leaf), log_key); !other) return other.error();
  return Error{Code::kForked, "the log shows another record " + std::to_string(receipt.seq) +
                                  " than the one that the receipt was given for. Keep both: each is signed by the log"};
}

Result<std::vector<std::string>> LoadReceipts(const std::string& text_or_file) {
  if (text_or_file.starts_with(kPrefix)) return std::vector<std::string>{text_or_file};
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(text_or_file, kMaxFile));
  std::vector<std::string> found = FindReceipts(text);
  if (found.empty()) return Error{Code::kInvalidArgument, "`" + text_or_file + "` holds no receipt (pcr2...)"};
  return found;
}

}  // namespace portcullis::audit
