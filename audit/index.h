// The search index: which records fit a query and where their frames lie. A SQLite database beside the
// segments that holds nothing but what leaves hold, so that it names nobody and erasure need not touch
// it. It is a cache, owned by whoever searches: auditd neither reads nor writes it. Never trusted: it
// covers records under a signed checkpoint only, is bound by a checksum to the place where it was made,
// and what it finds is read again from the segments (search.h). An index that is damaged, copied, cut off
// in an update or at odds with the log is refused with kTampered, and its user builds it anew.
// One process at a time, by a lock; not thread-safe. SEARCH INDEX in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "audit/error.h"
#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/query.h"
#include "audit/scan.h"

struct sqlite3;

namespace portcullis::audit {

// What the index has taken in, and the place where a scan goes on.
struct IndexCover {
  CompactRange tree;
  uint64_t segment = 0, offset = 0;  // end of the last batch; 0, 0 when empty
  Hash last_batch{};

  ScanStart Start() const { return {segment, offset, last_batch, tree}; }
};

struct IndexHit {
  uint64_t seq = 0, segment = 0, offset = 0;  // of the record's frame
};

class SearchIndex {
 public:
  // The index of this log as it is; kNotFound where there is none, kLocked while another search has it.
  static Result<std::unique_ptr<SearchIndex>> Open(const std::filesystem::path& log_folder, const VerifierKey& key);
  // An empty one in its place.
  static Result<std::unique_ptr<SearchIndex>> Create(const std::filesystem::path& log_folder, const VerifierKey& key);
  ~SearchIndex();
  SearchIndex(const SearchIndex&) = delete;
  SearchIndex& operator=(const SearchIndex&) = delete;

  const IndexCover& cover() const { return cover_; }
  // Takes in what lies between the cover and the head, and new places where an erasure rewrote segments.
  // kTampered when index and log do not fit, kForked or another code when the log itself is not good.
  Result<void> Extend(const Checkpoint& head, const ScanProgress& progress);
  // Segments that were rewritten since: their places are not true any more, Extend() mends them.
  Result<std::vector<uint64_t>> Moved();
  // In order of seq, at most `limit`.
  Result<std::vector<IndexHit>> Find(const Query& query, uint64_t limit);

 private:
  class Builder;

  SearchIndex(std::filesystem::path log_folder, VerifierKey key, Fd lock)
      : log_folder_(std::move(log_folder)), key_(std::move(key)), lock_(std::move(lock)) {}
  static Result<std::unique_ptr<SearchIndex>> Lock(const std::filesystem::path& log_folder, const VerifierKey& key);
  Result<void> OpenDatabase(bool create);
  Result<void> Execute(const char* sql);
  Result<void> CheckSum() const;
  Result<void> WriteSum() const;
  Result<void> LoadCover();
  Result<void> SaveCover();
  Result<void> Relocate(uint64_t segment);
  Result<void> TakeNew(const Checkpoint& head, const ScanProgress& progress);

  const std::filesystem::path log_folder_;
  const VerifierKey key_;
  Fd lock_;
  sqlite3* db_ = nullptr;
  IndexCover cover_;
};

}  // namespace portcullis::audit
