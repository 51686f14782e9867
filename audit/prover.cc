#include "audit/prover.h"

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/merkle.h"
#include "audit/proof.h"

namespace portcullis::audit {

Result<Prover> Prover::Open(const std::filesystem::path& log_folder, const VerifierKey& key) {
  const LogLayout layout(log_folder);
  BOOST_OUTCOME_TRY(std::string note, ReadFile(layout.checkpoint(), kMaxNote));
  BOOST_OUTCOME_TRY(const Checkpoint head, OpenCheckpoint(note, key));
  return Prover(layout.tiles(), std::move(note), head);
}

Result<std::optional<std::string>> Prover::Prove(uint64_t seq, const Hash& leaf_hash) const {
  if (seq >= head_.size) return std::optional<std::string>();
  const auto node = [this](unsigned level, uint64_t index) { return tiles_.Node(level, index); };
  BOOST_OUTCOME_TRY(auto hashes, InclusionProof(seq, head_.size, node));
  BOOST_OUTCOME_TRY(VerifyInclusion(leaf_hash, seq, head_.size, hashes, head_.root));
  return std::optional(FormatProof({seq, std::move(hashes), note_}));
}

}  // namespace portcullis::audit
