// The text formats that come from other machines: signed notes, cosignatures, add-checkpoint bodies,
// auditors, days, overrides, release files, verifier keys; and the entry bundles and the signer's memory,
// which somebody may have damaged. What is accepted is written again and must be the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/auditors.h"
#include "audit/cosignature.h"
#include "audit/daykey.h"
#include "audit/override.h"
#include "audit/release.h"
#include "audit/signer.h"
#include "audit/succession.h"
#include "audit/tiles.h"
#include "audit/witness.h"
#include "certs/secret.h"

using namespace portcullis::audit;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Notes(std::string_view bytes) {
  const VerifierKey log{"test.example/audit", {}, NoteKeyType::kEd25519};
  const VerifierKey witness{"witness.example/w1", {}, NoteKeyType::kCosignature};
  if (const auto note = ParseNote(bytes)) {
    (void)SignedBy(note.value(), log);
    (void)Cosignatures(note.value(), {&witness, 1});
    (void)ParseCheckpointText(note.value().text);
  }
  (void)OpenDayList(bytes, log);
  (void)OpenSuccession(bytes);
  (void)ParseVerifierKeys(bytes);
  if (const auto checkpoint = ParseCheckpointText(bytes)) {
    const std::string text = CheckpointText(checkpoint.value());
    Require(bytes.starts_with(text));  // extension lines may follow
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool started = (portcullis::certs::InitSodium(), true);
  (void)started;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Notes(bytes);
  if (const auto request = ParseAddCheckpoint(bytes)) {
    Require(FormatAddCheckpoint(request.value()) == bytes);
  }
  if (const auto policy = ParseAuditors(bytes)) {
    Require(ParseAuditors(FormatAuditors(policy.value())).value() == policy.value());
  }
  if (const auto statement = ParseOverride(bytes)) Require(OverrideText(statement.value()) == bytes);
  if (const auto leaves = TileStore::ParseEntryBundle(bytes)) {
    Require(TileStore::EntryBundle(leaves.value()) == bytes);
  }
  (void)DecodeSignerState(bytes, "test.example/audit");
  // With a good checksum and room for a signature, so that what lies behind them is reached.
  std::string state(bytes);
  const Hash sum = Sha256(state);
  state.append(reinterpret_cast<const char*>(sum.data()), sum.size()).append(sizeof(Signature), '\0');
  (void)DecodeSignerState(state, "test.example/audit");
  ReleasedKeys keys;
  const auto secret = portcullis::certs::SecretBytes(32);
  (void)keys.Add(bytes, "test.example/audit", secret);
  return 0;
}
