// Whether mapped model files are still what they were: their device, inode, size and times of
// change are compared with those at opening, and where any differs the bytes are hashed again. A
// name that stands for a new file by now is no change: what is mapped is the old one.
// One thread at a time; the Weights must outlive it. Failure: kBadFile, or kIo where a file cannot
// be examined any more.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/model/weights.h"

namespace portcullis::inference {

class FileWatch {
 public:
  // `sha256`: what WeightDigest said of the files after they were opened.
  FileWatch(const Weights& weights, std::string sha256);

  Result<void> Check();

 private:
  std::vector<const MappedFile*> files_;
  std::vector<struct stat> seen_;
  std::string sha256_;
};

// Not the time of access, which reading changes.
bool SameFileState(const struct stat& a, const struct stat& b);

}  // namespace portcullis::inference
