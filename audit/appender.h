// The tail of the log on disk: writes one group commit (its record frames, then the signed BATCH
// frame), makes it durable, rolls segments. Every root is computed twice, the second time from the
// bytes that go out, before it is signed. A failed fdatasync poisons the appender for good: it is never
// retried. A write that finds no space is undone by truncation and refused. Writer's thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "audit/daykey.h"
#include "audit/error.h"
#include "audit/file.h"
#include "audit/merkle.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

// Where a scan found the log to end.
struct LogTail {
  CompactRange tree;
  Hash last_batch{};
  uint64_t segments = 0;      // files present
  uint64_t last_segment = 0;  // number, when segments > 0
};

struct WriterIdentity {
  std::string origin;
  DayKey day;
  Signature endorsement{};      // of the day's key by the log key
};

class Appender {
 public:
  // `ops` must outlive the appender.
  static Result<Appender> Open(std::filesystem::path log_folder, LogTail tail, WriterIdentity identity,
                               WriteOps& ops);

  // Appends `records` record frames whose leaves have consecutive seqs from size(). Durable on success.
  // `frames` holds the frames; `leaves` their leaf hashes as computed when they were sealed.
  Result<void> Commit(std::string_view frames, std::span<const Hash> leaves);

  // Another day, another key: the next batch begins a new segment.
  void UseKey(DayKey day, const Signature& endorsement);
  // The next batch begins a new segment; the present one is then never written again.
  void Roll() { file_ = Fd(); }

  uint64_t size() const { return tail_.tree.size(); }
  uint64_t segment() const { return tail_.last_segment; }   // number of the one written to
  uint64_t offset() const { return file_size_; }            // its size
  const Hash& last_batch() const { return tail_.last_batch; }
  Hash Root() const { return tail_.tree.Root(); }
  bool poisoned() const { return poisoned_; }
  Result<DiskSpace> Space() { return ops_->Space(folder_.get()); }
  const WriterIdentity& identity() const { return identity_; }

 private:
  Appender() = default;
  Result<void> OpenLast();
  Result<void> BeginSegment();
  Result<void> CheckFile();
  Result<void> WriteAll(std::string_view frames, std::string_view batch);
  Error Poison(const std::string& why, int error);

  std::filesystem::path log_folder_;
  LogTail tail_;
  WriterIdentity identity_;
  WriteOps* ops_ = nullptr;
  Fd folder_;
  Fd file_;
  uint64_t file_inode_ = 0;
  uint64_t file_size_ = 0;
  Hash segment_hash_{};
  bool poisoned_ = false;
};

}  // namespace portcullis::audit
