// Reads one record from where an index says that it lies, and takes nothing on trust: the frame must be
// whole, the payload must have the hashes of the leaf, the leaf must be the one that the tree under the
// signed checkpoint has at that seq. The tree's nodes come from the cached tiles; they are folded up to the
// signed root once, then a tile is good when its root is among them. An error says that index, tiles or
// segment are not good; which of them is for a scan of the log to say. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "audit/error.h"
#include "audit/index.h"
#include "audit/note.h"
#include "audit/record.h"

namespace portcullis::audit {

class HitReader {
 public:
  HitReader(const std::filesystem::path& log_folder, const VerifierKey& key, const Checkpoint& head);
  // Proves the tiles' roots; to be called once, first.
  Result<void> Prepare();
  Result<void> Read(const IndexHit& hit, Leaf& leaf, Hash& leaf_hash);

 private:
  Result<Hash> ProvedLeafHash(uint64_t seq);

  const std::filesystem::path log_folder_;
  const Id origin_;
  const Checkpoint head_;
  std::vector<Hash> tile_roots_;  // of the full tiles of leaves
  std::vector<Hash> rest_;        // leaf hashes after them
  std::optional<uint64_t> tile_;  // whose hashes are in tile_hashes_
  std::vector<Hash> tile_hashes_;
};

}  // namespace portcullis::audit
