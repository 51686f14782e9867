// Proofs for who has the log's folder: inclusion of records under its newest signed checkpoint, from the
// cached tiles. A proof from a damaged tile is found out here. Thread-compatible.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "audit/error.h"
#include "audit/note.h"
#include "audit/tiles.h"

namespace portcullis::audit {

class Prover {
 public:
  static Result<Prover> Open(const std::filesystem::path& log_folder, const VerifierKey& key);
  // A tlog-proof of the record with this leaf hash; nothing where the checkpoint does not cover it yet.
  Result<std::optional<std::string>> Prove(uint64_t seq, const Hash& leaf_hash) const;

 private:
  Prover(const std::filesystem::path& tiles, std::string note, const Checkpoint& head)
      : note_(std::move(note)), head_(head), tiles_(tiles, head.size) {}

  std::string note_;
  Checkpoint head_;
  TileReader tiles_;
};

}  // namespace portcullis::audit
