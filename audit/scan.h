// Reads a log from its first byte and checks everything that needs no other file: frames, leaf hashes,
// payload hashes, contiguity, batch roots, the chain of batches, the writer's signatures and their
// endorsement by the log key. What verify.h and recover.h share. Memory: one segment at a time.
// A record reaches the visitor only after its whole batch was found good.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/segment.h"

namespace portcullis::audit {

struct ScannedRecord {
  const Leaf& leaf;
  const Hash& leaf_hash;
  std::string_view payload;
};

class ScanVisitor {
 public:
  virtual ~ScanVisitor() = default;
  virtual void OnRecord(const ScannedRecord& record) = 0;
};

struct Fault {
  Code code = Code::kTampered;
  uint64_t seq = 0;       // the first record that is not proved good
  std::string message;
};

struct ScanResult {
  CompactRange tree;                    // all complete, good batches
  Hash last_batch{};                    // SHA-256 of the last batch's body
  std::map<uint64_t, Hash> roots;       // at the sizes asked for, where reached
  uint64_t batches = 0;
  uint64_t segments = 0;
  uint64_t last_segment = 0;            // number, when segments > 0
  uint64_t good_bytes = 0;              // of the last segment: end of its last good batch, or header
  uint64_t tail_bytes = 0;              // of the last segment: what follows
  bool torn = false;                    // the tail is an unfinished group commit, nothing signed in it
  std::optional<Fault> fault;           // set when the scan stopped early or the tail is torn
};

struct ScanOptions {
  std::vector<uint64_t> root_sizes;
  bool live = false;                    // a writer is at work: a torn tail is read again
};

ScanResult ScanLog(const std::filesystem::path& log_folder, const VerifierKey& key,
                   const ScanOptions& options, ScanVisitor* visitor);

// The segments in order; a gap or a foreign name is the caller's to judge.
Result<std::vector<uint64_t>> ListSegments(const std::filesystem::path& log_folder);
inline constexpr uint64_t kMaxSegmentFile = 256u << 20;

}  // namespace portcullis::audit
