#include "audit/appender.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "audit/signer.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxHeaderFrame = 512;

// The root over the leaves inside the frames themselves: the second computation.
Result<CompactRange> RootOfFrames(CompactRange tree, std::string_view frames) {
  while (!frames.empty()) {
    const ParsedFrame parsed = ParseFrame(frames);
    if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kRecord ||
        parsed.frame.body.size() < kLeafSize) {
      return Error{Code::kTampered, "a frame changed in memory before it was written"};
    }
    tree.Append(LeafHash(parsed.frame.body.substr(0, kLeafSize)));
    frames.remove_prefix(parsed.frame.size);
  }
  return tree;
}

}  // namespace

Result<Appender> Appender::Open(std::filesystem::path log_folder, LogTail tail, WriterIdentity identity,
                                WriteOps& ops) {
  Appender appender;
  appender.log_folder_ = std::move(log_folder);
  appender.tail_ = std::move(tail);
  appender.identity_ = std::move(identity);
  appender.ops_ = &ops;
  BOOST_OUTCOME_TRY(appender.folder_, OpenFolder(Within(appender.log_folder_) / "segments"));
  BOOST_OUTCOME_TRY(appender.OpenLast());
  return appender;
}

// The writer's key is part of a segment's header; another key than the last one's needs a new segment.
Result<void> Appender::OpenLast() {
  if (tail_.segments == 0) return Ok();
  const std::filesystem::path path = Within(log_folder_) / "segments" / SegmentName(tail_.last_segment);
  BOOST_OUTCOME_TRY(const std::string content, ReadFileRange(path, 0, kMaxHeaderFrame));
  const ParsedFrame parsed = ParseFrame(content);
  if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kSegment) {
    return Error{Code::kTampered, "segment `" + ShownPath(path) + "` has no header"};
  }
  BOOST_OUTCOME_TRY(const SegmentHeader header, DecodeSegmentHeader(parsed.frame.body));
  if (header.writer != identity_.day.key || header.day != identity_.day.day) return Ok();
  BOOST_OUTCOME_TRY(file_, OpenForAppend(path));
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) return ErrnoError("cannot examine", path, errno);
  file_inode_ = info.st_ino;
  file_size_ = static_cast<uint64_t>(info.st_size);
  segment_hash_ = Sha256(parsed.frame.body);
  return CheckFile();
}

void Appender::UseKey(DayKey day, const Signature& endorsement) {
  identity_.day = std::move(day);
  identity_.endorsement = endorsement;
  Roll();
}

Result<void> Appender::BeginSegment() {
  const uint64_t number = tail_.segments == 0 ? 0 : tail_.last_segment + 1;
  const std::filesystem::path path = Within(log_folder_) / "segments" / SegmentName(number);
  SegmentHeader header;
  header.number = number;
  header.first_seq = size();
  header.previous_batch = tail_.last_batch;
  header.day = identity_.day.day;
  header.writer = identity_.day.key;
  header.endorsement = identity_.endorsement;
  header.origin = identity_.origin;
  const std::string body = EncodeSegmentHeader(header);
  const std::string frame = EncodeFrame(FrameType::kSegment, body);
  BOOST_OUTCOME_TRY(Fd fd, CreateForAppend(path));
  struct stat info {};
  const iovec part{const_cast<char*>(frame.data()), frame.size()};
  const ssize_t put = ::fstat(fd.get(), &info) == 0 ? ops_->Writev(fd.get(), &part, 1) : -1;
  if (put != static_cast<ssize_t>(frame.size())) {
    const int error = put < 0 ? errno : ENOSPC;
    (void)UnlinkPath(path);
    return ErrnoError("cannot begin segment", path, error);
  }
  if (ops_->Fdatasync(fd.get()) != 0 || ::fsync(folder_.get()) != 0) {
    return Poison("cannot sync the new segment " + ShownPath(path), errno);
  }
  file_ = std::move(fd);
  file_inode_ = info.st_ino;
  file_size_ = frame.size();
  segment_hash_ = Sha256(body);
  tail_.last_segment = number;
  ++tail_.segments;
  return Ok();
}

// Somebody may have unlinked, renamed, linked or truncated the file under us.
Result<void> Appender::CheckFile() {
  struct stat open {}, named {};
  const std::filesystem::path path = Within(log_folder_) / "segments" / SegmentName(tail_.last_segment);
  const bool same = ::fstat(file_.get(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                    open.st_nlink == 1 && open.st_ino == file_inode_ && named.st_ino == file_inode_ &&
                    named.st_dev == open.st_dev && static_cast<uint64_t>(open.st_size) == file_size_;
  if (same) return Ok();
  poisoned_ = true;
  return Error{Code::kPoisoned, "segment `" + ShownPath(path) +
                                    "` was unlinked, renamed, linked or changed by somebody else"};
}

Error Appender::Poison(const std::string& why, int error) {
  poisoned_ = true;
  Error result = ErrnoError(why, log_folder_, error);
  result.code = Code::kPoisoned;
  return result;
}

Result<void> Appender::WriteAll(std::string_view frames, std::string_view batch) {
  const uint64_t total = frames.size() + batch.size();
  uint64_t done = 0;
  while (done < total) {
    iovec parts[2];
    int count = 0;
    if (done < frames.size()) {
      parts[count++] = {const_cast<char*>(frames.data()) + done, frames.size() - done};
    }
    const uint64_t skipped = done > frames.size() ? done - frames.size() : 0;
    parts[count++] = {const_cast<char*>(batch.data()) + skipped, batch.size() - skipped};
    const ssize_t put = ops_->Writev(file_.get(), parts, count);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int error = put < 0 ? errno : ENOSPC;
      // Nothing of this batch was acknowledged: what was written of it goes away again.
      if (ops_->Ftruncate(file_.get(), static_cast<off_t>(file_size_)) != 0) {
        return Poison("cannot undo an unfinished write in", errno);
      }
      return ErrnoError("cannot write to the log", log_folder_, error);
    }
    done += static_cast<uint64_t>(put);
  }
  return Ok();
}

Result<void> Appender::Commit(std::string_view frames, std::span<const Hash> leaves) {
  if (poisoned_) return Error{Code::kPoisoned, "the log's writer stopped after a failure of the disk"};
  if (!file_.valid() ||
      (file_size_ + frames.size() > kSegmentSize && file_size_ > kSegmentSize / 2)) {
    BOOST_OUTCOME_TRY(BeginSegment());
  }
  BOOST_OUTCOME_TRY(CheckFile());

  CompactRange next = tail_.tree;
  for (const Hash& leaf : leaves) next.Append(leaf);
  BOOST_OUTCOME_TRY(const CompactRange again, RootOfFrames(tail_.tree, frames));
  if (again.size() != next.size() || again.Root() != next.Root()) {
    return Error{Code::kTampered, "two computations of the root differ; nothing was written"};
  }
  Batch batch;
  batch.first_seq = size();
  batch.count = static_cast<uint32_t>(leaves.size());
  batch.tree_size = next.size();
  batch.root = next.Root();
  batch.previous_batch = tail_.last_batch;
  batch.segment_hash = segment_hash_;
  batch.signature = SignEd25519(BatchText(batch, OriginId(identity_.origin)), identity_.day.secret);
  const std::string body = EncodeBatch(batch);
  const std::string frame = EncodeFrame(FrameType::kBatch, body);
  BOOST_OUTCOME_TRY(WriteAll(frames, frame));
  if (ops_->Fdatasync(file_.get()) != 0) return Poison("cannot sync the log", errno);
  file_size_ += frames.size() + frame.size();
  tail_.tree = std::move(next);
  tail_.last_batch = Sha256(body);
  return Ok();
}

}  // namespace portcullis::audit
