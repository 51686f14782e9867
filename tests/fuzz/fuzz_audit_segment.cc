// Everything that the verifier parses from a log somebody hands it: frames, leaves, part tables, batch
// frames, segment headers, wrap sets, checkpoints, verifier keys, proofs
// and the day keys in them, receipts.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/note.h"
#include "audit/proof.h"
#include "audit/receipt.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "certs/secret.h"

using namespace portcullis::audit;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool started = (portcullis::certs::InitSodium(), true);
  (void)started;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string_view rest = bytes;
  for (;;) {
    const ParsedFrame parsed = ParseFrame(rest);
    if (parsed.state != FrameState::kWhole) break;
    const std::string_view body = parsed.frame.body;
    (void)DecodeSegmentHeader(body);
    (void)DecodeBatch(body);
    if (body.size() >= kLeafSize) {
      const auto leaf = DecodeLeaf(body.substr(0, kLeafSize));
      if (leaf) {
        if (EncodeLeaf(leaf.value()) != body.substr(0, kLeafSize)) std::abort();
        (void)CheckPayload(leaf.value(), body.substr(kLeafSize));
        (void)CheckPayload(leaf.value(), body.substr(kLeafSize), Zeros::kShredded);
      }
    }
    rest.remove_prefix(parsed.frame.size);
  }
  // The same parsers without the crc in front of them.
  (void)DecodeSegmentHeader(bytes);
  (void)DecodeBatch(bytes);
  if (size >= kLeafSize) (void)DecodeLeaf(bytes.substr(0, kLeafSize));
  if (size > 0) (void)DecodePartTable(bytes.substr(1), data[0] % 8);
  (void)ReadWrapSet(bytes);
  const auto key = ParseVerifierKey(bytes);
  if (key && ParseVerifierKey(FormatVerifierKey(key.value())).value().key != key.value().key) std::abort();
  const VerifierKey fixed{"test.example/audit", {}, NoteKeyType::kEd25519};
  (void)OpenCheckpoint(bytes, fixed);
  (void)OpenReceipt(bytes, "test.example/audit", fixed.key);
  const auto proof = ParseProof(bytes);
  if (proof) {
    (void)VerifyProof(proof.value(), Hash{}, fixed);
    (void)OpenDayKeys(proof.value().extra, fixed);
  }
  (void)OpenDayKeys(bytes, fixed);
  return 0;
}
