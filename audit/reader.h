// Opening records: from a log folder, the auditors' secret keys and the subjects' keys (from a release
// file, or on the box from the key store) to the content. What `portcullis audit show` and the
// decrypting verifier share. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/note.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "audit/share.h"
#include "audit/subject_key.h"
#include "certs/secret.h"

namespace portcullis::audit {

// Opens records that come in log order (chains only go forward). Keeps a bounded number of chains.
class RecordOpener {
 public:
  // `keys`, the secrets and the shares must outlive the opener. Two secrets for records of two-person mode, or one and
  // the other auditor's share.
  RecordOpener(std::string_view origin, SubjectKeySource* keys,
               std::vector<const certs::SecretBytes*> auditor_secrets, const Shares* shares = nullptr);

  // A KEY record: keeps its wrap set.
  void TakeKey(const Leaf& leaf, std::string_view payload);
  Result<Opened> Open(const Leaf& leaf, std::string_view payload);
  // The key of one part, to be given away with it (part_release.h). kNotFound: it was shredded.
  Result<certs::SecretBytes> PartKey(const Leaf& leaf, PartType type);

 private:
  struct Chain {
    std::string wrap_set;
    certs::SecretBytes key;    // empty until first needed
    uint32_t index = 0;
    certs::SecretBytes node;   // of the subject key's tree, for the whole chain
    SubjectKey punctured;      // instead, where a part of the chain was shredded
    bool shared = false;       // a share is needed: for the records that it names
  };
  // Into record_key_.
  Result<Chain*> DeriveKey(const Leaf& leaf);
  Result<void> OpenChain(const Leaf& leaf, Chain& chain);
  static bool Share(const Chain& chain, const Leaf& leaf, PartType type, std::span<uint8_t> share);
  static constexpr size_t kMaxChains = 8192;

  const Id origin_;
  SubjectKeySource* const keys_;
  const std::vector<const certs::SecretBytes*> auditor_secrets_;
  const Shares* const shares_;
  Sealer sealer_;
  certs::SecretBytes record_key_;
  std::map<uint64_t, Chain> chains_;  // by seq of the KEY record; the oldest go first
};

struct LoadedRecord {
  Leaf leaf;
  Hash leaf_hash{};
  std::string payload;
  bool erased = false;
  uint16_t shredded = 0;    // parts (PartBit)
  std::string key_payload;  // of the KEY record of its chain; empty when it has no encrypted part
  Leaf key_leaf;
};
// Finds a record and its KEY record, and checks both under the signed checkpoint by way of the tiles;
// where that is not possible (not under a checkpoint yet, a tile damaged), by reading the whole log.
Result<LoadedRecord> LoadRecord(const std::filesystem::path& log_folder, const VerifierKey& key,
                                uint64_t seq);
// The ERASE records that say that parts of this record were shredded, by part; reads the whole log.
std::map<PartType, uint64_t> ShreddedBy(const std::filesystem::path& log_folder, const VerifierKey& key, uint64_t seq);

}  // namespace portcullis::audit
