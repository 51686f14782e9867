#include "audit/tail.h"

#include <deque>

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/place.h"

namespace portcullis::audit {

class TailReader::Visitor : public ScanVisitor {
 public:
  Visitor(TailReader& tail, const OnFound& found) : tail_(tail), found_(found) {}
  void OnRecord(const ScannedRecord& record) override {
    if (record.leaf.seq < tail_.next_) return;
    tail_.next_ = record.leaf.seq + 1;
    found_(record.leaf, record.leaf_hash);
  }
  void OnBatch(const BatchEnd& end) override { tail_.end_ = ScanStart{end.segment, end.offset, end.hash, end.tree}; }

 private:
  TailReader& tail_;
  const OnFound& found_;
};

Result<void> TailReader::Scan(const std::optional<ScanStart>& start, const Checkpoint* head, const OnFound& found) {
  first_segment_ = start ? start->segment : 0;
  ScanOptions options;
  options.payloads = false;
  options.live = IsLocked(LogLayout(log_folder_).lock());
  options.start = start;
  if (head != nullptr) options.root_sizes = {head->size};
  Visitor visitor(*this, found);
  const ScanResult scan = ScanLog(log_folder_, key_, options, &visitor);
  if (scan.fault && !(scan.torn && options.live)) return Error{scan.fault->code, scan.fault->message};
  if (head == nullptr) return Ok();
  if (scan.tree.size() < head->size) {
    return Error{Code::kRolledBack, "the log ends at record " + std::to_string(scan.tree.size()) +
                                        ", its signed checkpoint covers " + std::to_string(head->size)};
  }
  const auto root = scan.roots.find(head->size);
  if (root == scan.roots.end() || root->second != head->root) {
    return Error{Code::kForked, "the log's signed checkpoint has another root than its records"};
  }
  return Ok();
}

Result<std::string> TailReader::Begin(uint64_t lines, const OnFound& found) {
  // Read first: the log of a working writer is always ahead of it.
  BOOST_OUTCOME_TRY(const Checkpoint head, SignedHead(log_folder_, key_));
  struct Line {
    Leaf leaf;
    Hash hash{};
  };
  std::deque<Line> last;
  const OnFound keep = [&](const Leaf& leaf, const Hash& hash) {
    last.push_back({leaf, hash});
    if (last.size() > lines) last.pop_front();
  };
  std::string warning;
  auto start = StartFromEnd(log_folder_, key_, head, lines);
  if (!start) warning = start.error().message + "; the whole log was read instead";
  BOOST_OUTCOME_TRY(Scan(start ? std::optional(start.value()) : std::nullopt, &head, keep));
  for (const Line& line : last) found(line.leaf, line.hash);
  return warning;
}

Result<void> TailReader::Next(const OnFound& found) {
  auto done = Scan(end_, nullptr, found);
  if (done) return done;
  // An erasure may have rewritten the segment, so that its batches end elsewhere now.
  BOOST_OUTCOME_TRY(const Checkpoint head, SignedHead(log_folder_, key_));
  auto start = StartFromEnd(log_folder_, key_, head, head.size - std::min(head.size, next_));
  return Scan(start ? std::optional(start.value()) : std::nullopt, &head, found);
}

}  // namespace portcullis::audit
