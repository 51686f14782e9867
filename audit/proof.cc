#include "audit/proof.h"

#include <sodium.h>

#include <cstring>

#include "audit/bytes.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kReceiptPrefix = "pcr2.";
constexpr size_t kReceiptBody = 4 + 8 + 32;
constexpr size_t kReceiptBytes = kReceiptBody + 64;
constexpr std::string_view kProofHeader = "c2sp.org/tlog-proof@v1\n";

std::string ReceiptText(std::string_view origin, std::string_view seq_and_hash) {
  std::string text = "portcullis audit receipt v2\n";
  text.append(origin);
  text.push_back('\n');
  text.append(seq_and_hash);
  return text;
}

Error BadProofText(const char* why) {
  return Error{Code::kBadFormat, std::string("tlog-proof: ") + why};
}

}  // namespace

std::string MakeReceipt(const Receipt& receipt, std::string_view origin,
                        const certs::SecretBytes& day_secret) {
  std::string raw;
  ByteWriter out(raw);
  out.Put(receipt.day);
  out.Put(receipt.seq);
  out.PutBytes(receipt.leaf_hash);
  out.PutBytes(SignEd25519(ReceiptText(origin, raw), day_secret));
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_ENCODED_LEN(kReceiptBytes, kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), AsBytes(raw).data(), raw.size(), kVariant);
  text.pop_back();
  return std::string(kReceiptPrefix) + text;
}

namespace {

Result<std::string> ReceiptBytes(std::string_view text) {
  if (!text.starts_with(kReceiptPrefix)) return Error{Code::kBadFormat, "not a receipt"};
  text.remove_prefix(kReceiptPrefix.size());
  std::string raw(kReceiptBytes, '\0');
  size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<uint8_t*>(raw.data()), raw.size(), text.data(), text.size(),
                        nullptr, &size, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
      end != text.data() + text.size() || size != kReceiptBytes) {
    return Error{Code::kBadFormat, "the receipt is cut short or damaged"};
  }
  return raw;
}

}  // namespace

Result<Receipt> ReadReceiptUnverified(std::string_view text) {
  BOOST_OUTCOME_TRY(const std::string raw, ReceiptBytes(text));
  ByteReader in(raw);
  Receipt receipt;
  receipt.day = in.Get<uint32_t>();
  receipt.seq = in.Get<uint64_t>();
  receipt.leaf_hash = in.GetArray<32>();
  return receipt;
}

Result<Receipt> OpenReceipt(std::string_view text, std::string_view origin, const PublicKey& day_key) {
  BOOST_OUTCOME_TRY(const std::string raw, ReceiptBytes(text));
  Signature signature;
  std::memcpy(signature.data(), raw.data() + kReceiptBody, signature.size());
  if (!VerifyEd25519(ReceiptText(origin, std::string_view(raw).substr(0, kReceiptBody)), signature, day_key)) {
    return Error{Code::kTampered, "the receipt's signature is wrong"};
  }
  return ReadReceiptUnverified(text);
}

std::string FormatProof(const TlogProof& proof) {
  std::string text(kProofHeader);
  if (!proof.extra.empty()) text += "extra " + Base64(AsBytes(proof.extra)) + "\n";
  text += "index " + std::to_string(proof.index) + "\n";
  for (const Hash& hash : proof.hashes) text += Base64(hash) + "\n";
  text += "\n" + proof.checkpoint;
  return text;
}

Result<TlogProof> ParseProof(std::string_view text) {
  if (text.size() > kMaxNote) return BadProofText("longer than 64 KiB");
  if (!text.starts_with(kProofHeader)) return BadProofText("unknown header line");
  text.remove_prefix(kProofHeader.size());
  TlogProof proof;
  bool have_index = false;
  bool have_extra = false;
  for (;;) {
    const size_t newline = text.find('\n');
    if (newline == std::string_view::npos) return BadProofText("no checkpoint");
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline + 1);
    if (line.empty()) break;
    if (!have_index && !have_extra && line.starts_with("extra ")) {
      have_extra = true;
      auto extra = FromBase64(line.substr(6), kMaxNote);
      if (!extra) return BadProofText("the extra data is not base64");
      proof.extra = std::move(extra.value());
      continue;
    }
    if (!have_index) {
      if (!line.starts_with("index ")) return BadProofText("no index line");
      line.remove_prefix(6);
      const auto index = ParseDecimal(line);
      if (!index) return BadProofText("the index is not a plain decimal number");
      proof.index = index.value();
      have_index = true;
      continue;
    }
    if (proof.hashes.size() == kMaxProofHashes) return BadProofText("more than 63 hashes");
    const auto hash = HashFromBase64(line);
    if (!hash) return BadProofText("a hash is not a base64 SHA-256");
    proof.hashes.push_back(hash.value());
  }
  if (!have_index) return BadProofText("no index line");
  proof.checkpoint = text;
  return proof;
}

Result<Checkpoint> VerifyProof(const TlogProof& proof, const Hash& leaf_hash, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(Checkpoint checkpoint, OpenCheckpoint(proof.checkpoint, key));
  BOOST_OUTCOME_TRY(
      VerifyInclusion(leaf_hash, proof.index, checkpoint.size, proof.hashes, checkpoint.root));
  return checkpoint;
}

}  // namespace portcullis::audit
