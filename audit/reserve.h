// Disk space set aside in a file, to be given back when the disk is full: one file for STOP, one for acts of
// administrators (FILES in FORMAT.md). Giving back is making the file shorter; the room is then the file
// system's, so who draws must write at once. Durable by nature: what a crash leaves is what lies there.
// The writer's thread only.
#pragma once

#include <cstdint>
#include <filesystem>

#include "audit/error.h"

namespace portcullis::audit {

class Reserve {
 public:
  Reserve(std::filesystem::path path, uint64_t size) : path_(std::move(path)), size_(size) {}

  // Up to its full size, or by at most so many bytes. kDiskLow where the disk has not so much; what was there stays.
  Result<void> Fill(uint64_t most = UINT64_MAX);
  // Gives back so many bytes, rounded up to blocks where there are as many. kDiskLow, and nothing is given, when there are not so many.
  Result<void> Draw(uint64_t bytes);
  // All of it.
  void GiveUp();
  uint64_t missing() const { return size_ - left_; }
  uint64_t left() const { return left_; }

 private:
  const std::filesystem::path path_;
  const uint64_t size_;
  uint64_t left_ = 0;
};

}  // namespace portcullis::audit
