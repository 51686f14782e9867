// Opening records: from a log folder, an auditor's secret key and the subject keys of a key store to
// the content. What `portcullis audit show` and the decrypting verifier share. Not thread-safe.
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
#include "certs/secret.h"

namespace portcullis::audit {

// Opens records that come in log order (chains only go forward). Keeps a bounded number of chains.
class RecordOpener {
 public:
  // `store` and `auditor_secret` must outlive the opener; null: every Open fails with kKeys.
  RecordOpener(std::string_view origin, KeyStore* store, const certs::SecretBytes* auditor_secret);

  // A KEY record: keeps its wrap set.
  void TakeKey(const Leaf& leaf, std::string_view payload);
  Result<std::vector<Part>> Open(const Leaf& leaf, std::string_view payload);

 private:
  struct Chain {
    std::string wrap_set;
    certs::SecretBytes key;  // empty until first needed
    uint32_t index = 0;
  };
  static constexpr size_t kMaxChains = 8192;

  const Id origin_;
  KeyStore* const store_;
  const certs::SecretBytes* const auditor_secret_;
  Sealer sealer_;
  certs::SecretBytes record_key_;
  std::map<uint64_t, Chain> chains_;  // by seq of the KEY record; the oldest go first
};

struct LoadedRecord {
  Leaf leaf;
  Hash leaf_hash{};
  std::string payload;
  std::string key_payload;  // of the KEY record of its chain; empty when it has no encrypted part
  Leaf key_leaf;
};
// Finds a record (and its KEY record) by reading the log from the start, which checks it on the way.
Result<LoadedRecord> LoadRecord(const std::filesystem::path& log_folder, const VerifierKey& key,
                                uint64_t seq);

}  // namespace portcullis::audit
