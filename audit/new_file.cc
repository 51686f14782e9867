#include "audit/new_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "audit/note.h"

namespace portcullis::audit {
namespace {

constexpr size_t kBuffer = 1u << 20;

Error InTheWay(const std::filesystem::path& path) {
  return Error{Code::kExists, "`" + path.string() + "` exists already and is not overwritten; choose another name "
                              "or remove it first"};
}

// rename() that replaces nothing; by way of a link on file systems that do not know it.
int RenameToNew(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (::link(from, to) != 0) return -1;
  return ::unlink(from);
}

}  // namespace

Result<NewFile> NewFile::Create(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) return InTheWay(path);
  std::array<uint8_t, 8> random;
  randombytes_buf(random.data(), random.size());
  std::filesystem::path temporary = path;
  temporary += ".part-" + Hex(random);
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("cannot create", temporary, errno);
  return NewFile(path, std::move(temporary), std::move(fd));
}

NewFile::~NewFile() {
  if (fd_.valid()) ::unlink(temporary_.c_str());
}

void NewFile::Write(std::string_view text) {
  buffer_.append(text);
  if (buffer_.size() >= kBuffer) Flush();
}

void NewFile::Flush() {
  size_t done = 0;
  while (!error_ && done < buffer_.size()) {
    const ssize_t put = ::write(fd_.get(), buffer_.data() + done, buffer_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) error_ = ErrnoError("cannot write", path_, errno);
    else done += static_cast<size_t>(put);
  }
  buffer_.clear();
}

Result<void> NewFile::Finish() {
  Flush();
  if (error_) return *error_;
  if (::fdatasync(fd_.get()) != 0) return ErrnoError("cannot sync", path_, errno);
  if (RenameToNew(temporary_.c_str(), path_.c_str()) != 0) {
    return errno == EEXIST ? InTheWay(path_) : ErrnoError("cannot create", path_, errno);
  }
  fd_ = Fd();
  return SyncFolder(path_.parent_path());
}

Result<void> WriteNewFile(const std::filesystem::path& path, std::string_view content) {
  BOOST_OUTCOME_TRY(NewFile file, NewFile::Create(path));
  file.Write(content);
  return file.Finish();
}

}  // namespace portcullis::audit
