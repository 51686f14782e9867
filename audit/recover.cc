#include "audit/recover.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "audit/file.h"
#include "audit/scan.h"
#include "audit/segment_parse.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

class Collector : public ScanVisitor {
 public:
  Collector(uint64_t signed_size, Recovery& recovery) : signed_size_(signed_size), recovery_(recovery) {}

  void OnRecord(const ScannedRecord& record) override {
    const Leaf& leaf = record.leaf;
    // A tile that cannot be written now is reported by the proof that needs it.
    (void)recovery_.tiles.Append(record.leaf_bytes, record.leaf_hash);
    if (leaf.seq >= signed_size_) recovery_.unsigned_leaves.push_back(record.leaf_hash);
    if (leaf.kind == Kind::kReq) recovery_.open[leaf.seq] = leaf.request_id;
    if (leaf.kind == Kind::kResp || leaf.kind == Kind::kAbort) recovery_.open.erase(leaf.parent_seq);
    stopped_ = leaf.kind == Kind::kStop;
    ++recovery_.records_read;
  }

  void set_stopped(bool stopped) { stopped_ = stopped; }
  bool stopped() const { return stopped_; }

 private:
  const uint64_t signed_size_;
  Recovery& recovery_;
  bool stopped_ = true;
};

// Keeps the torn bytes, then takes them off the segment.
Result<void> CutTail(const std::filesystem::path& log_folder, ScanResult& scan, Recovery& recovery) {
  const std::string name = SegmentName(scan.last_segment);
  const std::filesystem::path path = Within(log_folder) / "segments" / name;
  BOOST_OUTCOME_TRY(const std::string content, ReadFile(path, kMaxSegmentFile));
  const std::string tail = content.substr(scan.good_bytes);
  recovery.cut_bytes = tail.size();
  recovery.cut_hash = Sha256(tail);
  recovery.cut_file = name + "." + std::to_string(scan.good_bytes) + "." +
                      Hex(recovery.cut_hash).substr(0, 16) + ".bin";
  BOOST_OUTCOME_TRY(MakeFolder(Within(log_folder) / "torn"));
  BOOST_OUTCOME_TRY(ReplaceFile(Within(log_folder) / "torn" / recovery.cut_file, tail, true));
  if (scan.good_bytes == 0) {
    if (UnlinkPath(path) != 0) return ErrnoError("cannot remove the unfinished", path, errno);
    --scan.segments;
    if (scan.segments > 0) --scan.last_segment;
    return SyncFolder(Within(log_folder) / "segments");
  }
  const Fd fd(OpenPath(path, O_WRONLY | O_NOFOLLOW));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(scan.good_bytes)) != 0 ||
      ::fsync(fd.get()) != 0) {
    return ErrnoError("cannot cut the torn tail of", path, errno);
  }
  return Ok();
}

Recovery Empty(const std::filesystem::path& log_folder) {
  return Recovery{{}, TileStore(Within(log_folder) / "tile"), {}, {}, 0, false, false, 0, {}, {}};
}

// What the scan found, as the writer's beginning; or why there is none.
Result<Recovery> Conclude(const std::filesystem::path& log_folder, const Signer& signer, ScanResult scan,
                          Recovery recovery, bool stopped) {
  if (scan.fault && !scan.torn) {
    return Error{scan.fault->code,
                 "the log is damaged at record " + std::to_string(scan.fault->seq) + " (" +
                     scan.fault->message +
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
  recovery.unclean = !stopped;
  if (scan.fault) {
    BOOST_OUTCOME_TRY(CutTail(log_folder, scan, recovery));
    recovery.unclean = true;
  }
  recovery.tail = LogTail{std::move(scan.tree), scan.last_batch, scan.segments, scan.last_segment};
  return recovery;
}

// From the signed head on; nothing where the head or the tiles do not fit, which only a full scan can judge.
std::optional<Result<Recovery>> RecoverTail(const std::filesystem::path& log_folder, const Signer& signer) {
  auto tiles = TileStore::Restore(Within(log_folder) / "tile", signer.tree());
  if (!tiles) return std::nullopt;
  Recovery recovery = Empty(log_folder);
  recovery.tiles = std::move(tiles.value());
  recovery.open = signer.resume().open;
  Collector collector(signer.size(), recovery);
  collector.set_stopped(signer.resume().stopped);
  ScanOptions options;
  options.root_sizes = {signer.size()};
  options.payloads = false;
  options.threads = 1;
  options.start =
      ScanStart{signer.resume().segment, signer.resume().offset, signer.resume().last_batch, signer.tree()};
  ScanResult scan = ScanLog(log_folder, signer.key(), options, &collector);
  if (scan.fault && !scan.torn) return std::nullopt;
  return Conclude(log_folder, signer, std::move(scan), std::move(recovery), collector.stopped());
}

}  // namespace

Result<Recovery> RecoverLog(const std::filesystem::path& log_folder, const Signer& signer) {
  if (signer.size() > 0) {
    if (auto tail = RecoverTail(log_folder, signer)) return std::move(*tail);
  }
  Recovery recovery = Empty(log_folder);
  recovery.tiles_rebuilt = signer.size() > 0;
  Collector collector(signer.size(), recovery);
  ScanOptions options;
  options.root_sizes = {signer.size()};
  options.payloads = false;
  ScanResult scan = ScanLog(log_folder, signer.key(), options, &collector);
  return Conclude(log_folder, signer, std::move(scan), std::move(recovery), collector.stopped());
}

Result<void> CompareWithSeen(const std::filesystem::path& log_folder, const Signer& signer,
                             const TileStore& tiles, const Checkpoint& seen, const std::string& by_whom) {
  if (seen.size > tiles.size()) {
    return Error{Code::kRolledBack, by_whom + " has seen " + std::to_string(seen.size) +
                                        " records of this log, which holds " + std::to_string(tiles.size()) +
                                        ": an old copy of the machine was put back"};
  }
  const auto root = RootAt(seen.size, [&tiles](unsigned level, uint64_t index) { return tiles.Node(level, index); });
  if (root && root.value() == seen.root) return Ok();
  // A damaged tile looks the same as another history: the segments decide.
  ScanOptions options;
  options.root_sizes = {seen.size};
  options.live = true;
  options.threads = 1;
  const ScanResult scan = ScanLog(log_folder, signer.key(), options, nullptr);
  const auto found = scan.roots.find(seen.size);
  if (found != scan.roots.end() && found->second == seen.root) return Ok();
  if (found == scan.roots.end() && scan.fault) return Error{scan.fault->code, scan.fault->message};
  return Error{Code::kForked, by_whom + " has seen another history of this log's first " +
                                  std::to_string(seen.size) + " records"};
}

}  // namespace portcullis::audit
