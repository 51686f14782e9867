// How records come into the index: by the same scan that a verifier makes, from the end of what is
// covered up to the signed head. The root that comes out at the head's size must be the head's; so a cover
// that was made up, or that belongs to another history, does not go on. An erasure rewrites segments and
// moves the frames behind it: such a segment is known by its size and its places are read anew.

#include <sqlite3.h>

#include <map>

#include "audit/bytes.h"
#include "audit/index.h"
#include "audit/index_rows.h"
#include "audit/layout.h"
#include "audit/segment_parse.h"
#include "audit/walk.h"

namespace portcullis::audit {

class SearchIndex::Builder : public ScanVisitor {
 public:
  Builder(sqlite3* db, uint64_t size, IndexCover& cover) : db_(db), size_(size), cover_(cover) {}

  Result<void> Prepare() {
    BOOST_OUTCOME_TRY(record_.Prepare(db_, "INSERT INTO record(seq, wall_us, kind, outcome, parent, segment, place)"
                                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    BOOST_OUTCOME_TRY(find_name_.Prepare(db_, "SELECT id FROM name WHERE value=?1"));
    BOOST_OUTCOME_TRY(add_name_.Prepare(db_, "INSERT INTO name(value) VALUES(?1)"));
    BOOST_OUTCOME_TRY(term_.Prepare(db_, "INSERT OR IGNORE INTO term(name, role, seq) VALUES(?1, ?2, ?3)"));
    return request_.Prepare(db_, "INSERT INTO request(id, seq) VALUES(?1, ?2)");
  }

  void OnRecord(const ScannedRecord& record) override {
    if (trouble_ || record.leaf.seq >= size_) return;
    if (auto put = Put(record); !put) trouble_ = put.error();
  }
  void OnBatch(const BatchEnd& end) override {
    if (trouble_ || end.tree.size() > size_) return;
    cover_.tree = end.tree;
    cover_.segment = end.segment;
    cover_.offset = end.offset;
    cover_.last_batch = end.hash;
  }
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  static constexpr size_t kMaxKnown = 1u << 16;

  Result<void> Put(const ScannedRecord& record) {
    const Leaf& leaf = record.leaf;
    record_.Bind(1, leaf.seq).Bind(2, leaf.wall_us).Bind(3, static_cast<uint64_t>(leaf.kind));
    record_.Bind(4, uint64_t{leaf.outcome}).Bind(5, leaf.parent_seq).Bind(6, record.segment).Bind(7, record.offset);
    BOOST_OUTCOME_TRY(record_.Run());
    if (leaf.request_id != Id{}) {
      BOOST_OUTCOME_TRY(request_.Bind(1, leaf.request_id).Bind(2, leaf.seq).Run());
    }
    BOOST_OUTCOME_TRY(PutTerm(TermRole::kSubject, leaf.subject, leaf.seq));
    BOOST_OUTCOME_TRY(PutTerm(TermRole::kTenant, leaf.tenant, leaf.seq));
    BOOST_OUTCOME_TRY(PutTerm(TermRole::kPolicy, leaf.policy_hash, leaf.seq));
    for (size_t i = 0; i < leaf.tag_count; ++i) {
      BOOST_OUTCOME_TRY(PutTerm(TermRole::kTag, leaf.tags[i], leaf.seq));
    }
    return Ok();
  }

  Result<void> PutTerm(TermRole role, std::span<const uint8_t> value, uint64_t seq) {
    if (std::all_of(value.begin(), value.end(), [](uint8_t byte) { return byte == 0; })) return Ok();
    BOOST_OUTCOME_TRY(const uint64_t name, NameOf(value));
    return term_.Bind(1, name).Bind(2, static_cast<uint64_t>(role)).Bind(3, seq).Run();
  }

  Result<uint64_t> NameOf(std::span<const uint8_t> value) {
    const std::string text(AsText(value));
    if (const auto known = known_.find(text); known != known_.end()) return known->second;
    find_name_.Bind(1, value);
    BOOST_OUTCOME_TRY(const bool there, find_name_.Step());
    uint64_t id = there ? find_name_.Number(0) : 0;
    find_name_.Reset();
    if (!there) {
      BOOST_OUTCOME_TRY(add_name_.Bind(1, value).Run());
      id = static_cast<uint64_t>(sqlite3_last_insert_rowid(db_));
    }
    if (known_.size() >= kMaxKnown) known_.clear();
    known_.emplace(text, id);
    return id;
  }

  sqlite3* const db_;
  const uint64_t size_;
  IndexCover& cover_;
  std::optional<Error> trouble_;
  std::map<std::string, uint64_t> known_;
  IndexStatement record_, find_name_, add_name_, term_, request_;
};

Result<void> SearchIndex::TakeNew(const Checkpoint& head, const ScanProgress& progress) {
  if (head.size == cover_.tree.size()) return Ok();
  const uint64_t first = cover_.segment;
  const bool empty = cover_.tree.size() == 0;
  Builder builder(db_, head.size, cover_);
  BOOST_OUTCOME_TRY(builder.Prepare());
  ScanOptions options;
  options.root_sizes = {head.size};
  options.payloads = false;
  options.live = IsLocked(LogLayout(log_folder_).lock());
  options.progress = progress;
  if (!empty) options.start = cover_.Start();
  const ScanResult scan = ScanLog(log_folder_, key_, options, &builder);
  if (builder.trouble()) return *builder.trouble();
  const auto root = scan.roots.find(head.size);
  if (root == scan.roots.end() || root->second != head.root) {
    // From the first record on it is the log that is wrong, not the index.
    if (!empty) return IndexDamaged("what it covers is not a part of this log");
    if (scan.fault) return Error{scan.fault->code, scan.fault->message};
    return Error{Code::kForked, "the segments do not have the root of the signed checkpoint"};
  }
  if (cover_.tree.size() != head.size) return Error{Code::kTampered, "the signed checkpoint ends inside a batch"};
  IndexStatement put;
  BOOST_OUTCOME_TRY(put.Prepare(db_, "INSERT OR REPLACE INTO segment(number, size) VALUES(?1, ?2)"));
  for (uint64_t number = first; number <= cover_.segment; ++number) {
    std::error_code error;
    const auto path = Within(log_folder_) / "segments" / SegmentName(number);
    const uint64_t size = number == cover_.segment ? cover_.offset : std::filesystem::file_size(path, error);
    if (error) return ErrnoError("cannot examine", path, error.value());
    BOOST_OUTCOME_TRY(put.Bind(1, number).Bind(2, size).Run());
  }
  return Ok();
}

Result<std::vector<uint64_t>> SearchIndex::Moved() {
  std::vector<uint64_t> moved;
  IndexStatement get;
  BOOST_OUTCOME_TRY(get.Prepare(db_, "SELECT number, size FROM segment ORDER BY number"));
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, get.Step());
    if (!more) return moved;
    const uint64_t number = get.Number(0);
    const auto path = Within(log_folder_) / "segments" / SegmentName(number);
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path, error);
    if (error) return IndexDamaged("segment " + SegmentName(number) + ", which it covers, is gone");
    if (number < cover_.segment ? size == get.Number(1) : size >= get.Number(1)) {
      if (number < cover_.segment) continue;
      // The last one may have grown, or shrunk and grown again: its last covered batch tells.
      const auto frame = ReadFileRange(path, cover_.offset - std::min<uint64_t>(cover_.offset, kBatchFrame), kBatchFrame);
      const ParsedFrame parsed = frame ? ParseFrame(frame.value()) : ParsedFrame{};
      if (parsed.state == FrameState::kWhole && Sha256(parsed.frame.body) == cover_.last_batch) continue;
    }
    moved.push_back(number);
  }
}

// The records of a rewritten segment have the same seqs, in other places.
Result<void> SearchIndex::Relocate(uint64_t segment) {
  const auto path = Within(log_folder_) / "segments" / SegmentName(segment);
  const ParsedSegment parsed = ParseSegmentFile(path, key_, {}, KeepPayloads::kOfKeys);
  if (parsed.stop == ParsedSegment::Stop::kUnreadable || !parsed.has_header) return IndexDamaged("a segment changed");
  IndexStatement move;
  BOOST_OUTCOME_TRY(move.Prepare(db_, "UPDATE record SET place=?1 WHERE seq=?2 AND segment=?3"));
  for (const ParsedRecord& record : parsed.records) {
    if (record.seq >= cover_.tree.size()) break;
    BOOST_OUTCOME_TRY(move.Bind(1, record.frame_at).Bind(2, record.seq).Bind(3, segment).Run());
    if (sqlite3_changes(db_) != 1) return IndexDamaged("a segment holds other records than it knows");
  }
  uint64_t size = parsed.file_end;
  if (segment == cover_.segment) {
    size = 0;
    for (const ParsedBatch& batch : parsed.batches) {
      if (batch.hash == cover_.last_batch) size = batch.end;
    }
    if (size == 0) return IndexDamaged("the last batch that it covers is gone");
    cover_.offset = size;
  }
  IndexStatement put;
  BOOST_OUTCOME_TRY(put.Prepare(db_, "UPDATE segment SET size=?1 WHERE number=?2"));
  return put.Bind(1, size).Bind(2, segment).Run();
}

}  // namespace portcullis::audit
