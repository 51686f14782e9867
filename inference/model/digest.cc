#include "inference/model/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

namespace portcullis::inference {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    good_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  void Update(const void* data, size_t size) {
    good_ = good_ && EVP_DigestUpdate(context_.get(), data, size) == 1;
  }
  Result<std::string> Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!good_ || EVP_DigestFinal_ex(context_.get(), digest, &size) != 1) {
      return Error{Code::kInternal, "SHA-256 is not available"};
    }
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool good_ = false;
};

Error IoError(const char* what, const std::filesystem::path& path) {
  return {Code::kIo, std::string("cannot ") + what + " `" + path.string() + "`: " +
                         std::strerror(errno)};
}

Result<std::string> DigestOf(int fd, const std::filesystem::path& path,
                             std::atomic<int64_t>& done) {
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  Sha256 hash;
  std::vector<unsigned char> block(kBlockBytes);
  off_t position = 0;
  for (;;) {
    const ssize_t got = pread(fd, block.data(), block.size(), position);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError("read", path);
    if (got == 0) return hash.Hex();
    hash.Update(block.data(), static_cast<size_t>(got));
    position += got;
    done.fetch_add(got, std::memory_order_relaxed);
  }
}

}  // namespace

Result<std::string> FileDigest(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return IoError("open", path);
  std::atomic<int64_t> done{0};
  auto digest = DigestOf(fd, path, done);
  close(fd);
  return digest;
}

Result<std::string> WeightDigest(std::vector<const MappedFile*> files, int threads,
                                 std::atomic<int64_t>& done) {
  std::ranges::sort(files, {}, &MappedFile::path);
  std::vector<std::optional<Result<std::string>>> digests(files.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < files.size(); i = next++) {
      digests[i] = DigestOf(files[i]->descriptor(), files[i]->path(), done);
    }
  };
  {
    std::vector<std::jthread> helpers;
    const size_t wanted = std::min(static_cast<size_t>(threads), files.size());
    for (size_t i = 1; i < wanted; ++i) helpers.emplace_back(work);
    work();
  }
  Sha256 list;
  for (size_t i = 0; i < files.size(); ++i) {
    BOOST_OUTCOME_TRY(const auto digest, std::move(*digests[i]));
    if (files.size() == 1) return digest;
    const std::string line = digest + "  " + files[i]->path().filename().string() + "\n";
    list.Update(line.data(), line.size());
  }
  return list.Hex();
}

}  // namespace portcullis::inference
