#include "audit/recover.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "audit/file.h"
#include "audit/scan.h"

namespace portcullis::audit {
namespace {

class Collector : public ScanVisitor {
 public:
  Collector(uint64_t signed_size, Recovery& recovery) : signed_size_(signed_size), recovery_(recovery) {}

  void OnRecord(const ScannedRecord& record) override {
    const Leaf& leaf = record.leaf;
    // A tile that cannot be written now is reported by the proof that needs it.
    (void)recovery_.tiles.Append(record.leaf_hash);
    if (leaf.seq >= signed_size_) recovery_.unsigned_leaves.push_back(record.leaf_hash);
    if (leaf.kind == Kind::kReq) recovery_.open[leaf.seq] = leaf.request_id;
    if (leaf.kind == Kind::kResp || leaf.kind == Kind::kAbort) recovery_.open.erase(leaf.parent_seq);
    last_kind_ = leaf.kind;
  }

  bool stopped() const { return last_kind_ == Kind::kStop; }

 private:
  const uint64_t signed_size_;
  Recovery& recovery_;
  Kind last_kind_ = Kind::kStop;
};

// Keeps the torn bytes, then takes them off the segment.
Result<void> CutTail(const std::filesystem::path& log_folder, ScanResult& scan, Recovery& recovery) {
  const std::string name = SegmentName(scan.last_segment);
  const std::filesystem::path path = log_folder / "segments" / name;
  BOOST_OUTCOME_TRY(const std::string content, ReadFile(path, kMaxSegmentFile));
  const std::string tail = content.substr(scan.good_bytes);
  recovery.cut_bytes = tail.size();
  recovery.cut_hash = Sha256(tail);
  recovery.cut_file = name + "." + std::to_string(scan.good_bytes) + "." +
                      Hex(recovery.cut_hash).substr(0, 16) + ".bin";
  BOOST_OUTCOME_TRY(MakeFolder(log_folder / "torn"));
  BOOST_OUTCOME_TRY(ReplaceFile(log_folder / "torn" / recovery.cut_file, tail, true));
  if (scan.good_bytes == 0) {
    if (::unlink(path.c_str()) != 0) return ErrnoError("cannot remove the unfinished", path, errno);
    --scan.segments;
    if (scan.segments > 0) --scan.last_segment;
    return SyncFolder(log_folder / "segments");
  }
  const Fd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(scan.good_bytes)) != 0 ||
      ::fsync(fd.get()) != 0) {
    return ErrnoError("cannot cut the torn tail of", path, errno);
  }
  return Ok();
}

}  // namespace

Result<Recovery> RecoverLog(const std::filesystem::path& log_folder, const Signer& signer) {
  Recovery recovery{{}, TileStore(log_folder / "tile"), {}, {}, false, 0, {}, {}};
  Collector collector(signer.size(), recovery);
  ScanOptions options;
  options.root_sizes = {signer.size()};
  ScanResult scan = ScanLog(log_folder, signer.key(), options, &collector);
  const std::string at = "record " + std::to_string(scan.fault ? scan.fault->seq : scan.tree.size());
  if (scan.fault && !scan.torn) {
    return Error{scan.fault->code,
                 "the log is damaged at " + at + " (" + scan.fault->message +
                     "); it is not written to. Restore it from a copy and run portcullis-verify"};
  }
  if (scan.tree.size() < signer.size()) {
    return Error{Code::kRolledBack, "the log ends at " + std::to_string(scan.tree.size()) +
                                        " records, but " + std::to_string(signer.size()) +
                                        " were signed: it was cut or an old copy was put in its place"};
  }
  if (scan.roots[signer.size()] != signer.root()) {
    return Error{Code::kForked, "the log's first " + std::to_string(signer.size()) +
                                    " records are not those that were signed"};
  }
  recovery.unclean = !collector.stopped();
  if (scan.fault) {
    BOOST_OUTCOME_TRY(CutTail(log_folder, scan, recovery));
    recovery.unclean = true;
  }
  recovery.tail = LogTail{std::move(scan.tree), scan.last_batch, scan.segments, scan.last_segment};
  return recovery;
}

}  // namespace portcullis::audit
