#include "audit/search.h"

#include <algorithm>

#include "audit/hit.h"
#include "audit/index_rows.h"
#include "audit/layout.h"
#include "audit/place.h"

namespace portcullis::audit {
namespace {

constexpr const char* kRebuilt = "; it is built anew from the segments";

struct Found {
  Leaf leaf;
  Hash hash{};
};

// Hands on what fits, up to the limit.
class Selecting : public ScanVisitor {
 public:
  Selecting(const SearchOptions& options, SearchOutcome& outcome, const OnFound& found)
      : options_(options), outcome_(outcome), found_(found) {}

  void OnRecord(const ScannedRecord& record) override {
    ++outcome_.read;
    if (options_.limit != 0 && outcome_.found >= options_.limit) return;
    if (!options_.query.Fits(record.leaf)) return;
    ++outcome_.found;
    found_(record.leaf, record.leaf_hash);
  }

 private:
  const SearchOptions& options_;
  SearchOutcome& outcome_;
  const OnFound& found_;
};

ScanOptions Scanning(const SearchOptions& options) {
  ScanOptions scan;
  scan.payloads = false;
  scan.live = IsLocked(LogLayout(options.log_folder).lock());
  scan.progress = options.progress;
  return scan;
}

Result<SearchOutcome> ReadAll(const SearchOptions& options, const OnFound& found, SearchOutcome outcome) {
  // Read first: the log of a working writer is always ahead of it.
  const auto head = SignedHead(options.log_folder, options.key);
  Selecting selecting(options, outcome, found);
  ScanOptions scanning = Scanning(options);
  if (head) scanning.root_sizes = {head.value().size};
  const ScanResult scan = ScanLog(options.log_folder, options.key, scanning, &selecting);
  if (scan.fault && !scan.torn) return Error{scan.fault->code, scan.fault->message};
  if (!head) return Error{head.error().code, "the log has no good checkpoint: " + head.error().message};
  outcome.checkpoint = head.value().size;
  if (scan.tree.size() < head.value().size) {
    return Error{Code::kRolledBack, "the log ends at record " + std::to_string(scan.tree.size()) +
                                        ", its signed checkpoint covers " + std::to_string(head.value().size)};
  }
  const auto root = scan.roots.find(head.value().size);
  if (root == scan.roots.end() || root->second != head.value().root) {
    return Error{Code::kForked, "the log's signed checkpoint has another root than its records"};
  }
  return outcome;
}

// An index that covers a part of this log, extended where that is worth it, and the signed head that it was
// held against: read after the index was locked, so that nobody else's index is ahead of it.
Result<std::unique_ptr<SearchIndex>> Ready(const std::filesystem::path& log_folder, const VerifierKey& key, bool anew,
                                           uint64_t extend_after, const ScanProgress& progress, Checkpoint& head) {
  Result<std::unique_ptr<SearchIndex>> index = Error{Code::kNotFound, "there is no search index yet"};
  if (!anew) index = SearchIndex::Open(log_folder, key);
  BOOST_OUTCOME_TRY(head, SignedHead(log_folder, key));
  if (!index && index.error().code == Code::kNotFound) {
    if (!anew && head.size < extend_after) return index;
    index = SearchIndex::Create(log_folder, key);
  }
  if (!index) return index;
  const uint64_t covered = index.value()->cover().tree.size();
  if (covered > head.size) {
    return IndexDamaged("it has seen " + std::to_string(covered) + " records under a signed checkpoint, which now covers " +
                        std::to_string(head.size) + " (if nobody put a copy back, verify the log)");
  }
  BOOST_OUTCOME_TRY(const auto moved, index.value()->Moved());
  if (!moved.empty() || head.size - covered >= std::max<uint64_t>(extend_after, 1)) {
    BOOST_OUTCOME_TRY(index.value()->Extend(head, progress));
  }
  return index;
}

// Everything is read and checked before anything is handed on, so that a failure leaves no half answer.
Result<SearchOutcome> LookUp(const SearchOptions& options, bool anew, const OnFound& found) {
  Checkpoint head;
  BOOST_OUTCOME_TRY(const auto index, Ready(options.log_folder, options.key, anew, options.extend_after,
                                            options.progress, head));
  SearchOutcome outcome;
  outcome.indexed = index->cover().tree.size();
  outcome.indexed_root = index->cover().tree.Root();
  outcome.checkpoint = head.size;
  const uint64_t limit = options.limit == 0 ? options.max_hits : std::min(options.limit, options.max_hits);
  BOOST_OUTCOME_TRY(const auto hits, index->Find(options.query, limit + 1));
  if (hits.size() > options.max_hits) return Error{Code::kTooLarge, ""};
  std::vector<Found> all;
  HitReader reader(options.log_folder, options.key, head);
  BOOST_OUTCOME_TRY(reader.Prepare());
  for (const IndexHit& hit : hits) {
    if (options.limit != 0 && all.size() >= options.limit) break;
    Found& one = all.emplace_back();
    BOOST_OUTCOME_TRY(reader.Read(hit, one.leaf, one.hash));
    if (!options.query.Fits(one.leaf)) {
      return IndexDamaged("record " + std::to_string(hit.seq) + " is not what it says");
    }
  }
  const OnFound keep = [&all](const Leaf& leaf, const Hash& hash) { all.push_back({leaf, hash}); };
  outcome.found = all.size();
  Selecting selecting(options, outcome, keep);
  ScanOptions scanning = Scanning(options);
  scanning.progress = nullptr;
  scanning.root_sizes = {head.size};
  if (outcome.indexed > 0) scanning.start = index->cover().Start();
  const ScanResult scan = ScanLog(options.log_folder, options.key, scanning, &selecting);
  const auto root = scan.roots.find(head.size);
  if (root == scan.roots.end() || root->second != head.root) {
    return IndexDamaged("what it covers is not a part of this log");
  }
  if (scan.fault && !scan.torn) return Error{scan.fault->code, scan.fault->message};
  for (const Found& one : all) found(one.leaf, one.hash);
  return outcome;
}

}  // namespace

Result<SearchOutcome> SearchLog(const SearchOptions& options, const OnFound& found) {
  if (!options.use_index) return ReadAll(options, found, {});
  std::vector<std::string> warnings;
  auto outcome = LookUp(options, false, found);
  if (!outcome && outcome.error().code == Code::kTampered) {
    warnings.push_back(outcome.error().message + kRebuilt);
    outcome = LookUp(options, true, found);
  }
  if (outcome) {
    outcome.value().warnings = std::move(warnings);
    return outcome;
  }
  // A small log without an index and an answer that is most of the log are no trouble.
  const Error why = outcome.error();
  if (why.code != Code::kTooLarge && why.code != Code::kNotFound) {
    warnings.push_back(why.message + "; the whole log was read instead");
  }
  SearchOutcome plain;
  plain.warnings = std::move(warnings);
  return ReadAll(options, found, std::move(plain));
}

Result<IndexCover> RefreshIndex(const std::filesystem::path& log_folder, const VerifierKey& key, bool anew,
                                const ScanProgress& progress, std::vector<std::string>& warnings) {
  Checkpoint head;
  auto index = Ready(log_folder, key, anew, 0, progress, head);
  if (!index && !anew && index.error().code == Code::kTampered) {
    warnings.push_back(index.error().message + kRebuilt);
    index = Ready(log_folder, key, true, 0, progress, head);
  }
  if (!index) return index.error();
  return index.value()->cover();
}

}  // namespace portcullis::audit
