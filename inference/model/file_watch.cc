#include "inference/model/file_watch.h"

#include <atomic>

#include "inference/model/digest.h"

namespace portcullis::inference {

bool SameFileState(const struct stat& a, const struct stat& b) {
  const auto same = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         same(a.st_mtim, b.st_mtim) && same(a.st_ctim, b.st_ctim);
}

FileWatch::FileWatch(const Weights& weights, std::string sha256)
    : files_(weights.files()), sha256_(std::move(sha256)) {
  for (const auto* file : files_) seen_.push_back(file->status());
}

Result<void> FileWatch::Check() {
  bool changed = false;
  for (size_t i = 0; i < files_.size(); ++i) {
    struct stat now {};
    if (fstat(files_[i]->descriptor(), &now) != 0) {
      return Error{Code::kIo, "cannot examine `" + files_[i]->path().string() + "` any more"};
    }
    changed = changed || !SameFileState(now, seen_[i]);
    // Taken before the bytes are read: a change meanwhile is seen next time.
    seen_[i] = now;
  }
  if (!changed) return boost::outcome_v2::success();
  std::atomic<int64_t> done{0};
  BOOST_OUTCOME_TRY(const auto digest, WeightDigest(files_, 1, done));
  if (digest == sha256_) return boost::outcome_v2::success();
  return Error{Code::kBadFile,
               "the weights were changed while they were in use: their SHA-256 is " + digest +
                   " now and was " + sha256_};
}

}  // namespace portcullis::inference
