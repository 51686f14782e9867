#include "audit/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "audit/file.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kBorder = "/./";
constexpr int kFolder = O_PATH | O_DIRECTORY | O_CLOEXEC;

// A link where a folder was asked for is ENOTDIR to the kernel.
void NameLink(int folder, const char* name) {
  struct stat info {};
  if (errno != ENOTDIR) return;
  const bool link = ::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  errno = link ? ELOOP : ENOTDIR;
}

// One folder by its name in another.
int OpenNext(int folder, const std::string& name, bool make) {
  if (name == "..") {
    errno = ELOOP;
    return -1;
  }
  if (make && ::mkdirat(folder, name.c_str(), 0700) != 0 && errno != EEXIST) return -1;
  const int next = ::openat(folder, name.c_str(), kFolder | O_NOFOLLOW);
  if (next < 0) NameLink(folder, name.c_str());
  return next;
}

// The folder that a path ends in, and its name there. Where it cannot be reached, errno says why.
class Place {
 public:
  explicit Place(const std::filesystem::path& path, bool make = false) : name_(path.string()) {
    const size_t border = name_.rfind(kBorder);
    if (border == std::string::npos) return;
    walked_ = true;
    folder_ = Fd(::open(name_.substr(0, std::max<size_t>(border, 1)).c_str(), kFolder));
    name_.erase(0, border + kBorder.size());
    for (size_t end; folder_.valid() && (end = name_.find('/')) != std::string::npos; name_.erase(0, end + 1)) {
      folder_ = Fd(OpenNext(folder_.get(), name_.substr(0, end), make));
    }
  }
  bool found() const { return !walked_ || folder_.valid(); }
  bool walked() const { return walked_; }
  int folder() const { return walked_ ? folder_.get() : AT_FDCWD; }
  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
  Fd folder_;
  bool walked_ = false;
};

}  // namespace

std::string ShownPath(const std::filesystem::path& path) {
  std::string text = path.string();
  if (const size_t border = text.rfind(kBorder); border != std::string::npos) text.erase(border, kBorder.size() - 1);
  return text;
}

int OpenPath(const std::filesystem::path& path, int flags, mode_t mode) {
  const Place place(path);
  if (!place.found()) return -1;
  const int fd = ::openat(place.folder(), place.name(), flags | O_CLOEXEC | (place.walked() ? O_NOFOLLOW : 0), mode);
  if (fd < 0 && place.walked()) NameLink(place.folder(), place.name());
  return fd;
}

int MakePath(const std::filesystem::path& path) {
  const Place place(path);
  return place.found() ? ::mkdirat(place.folder(), place.name(), 0700) : -1;
}

int UnlinkPath(const std::filesystem::path& path) {
  const Place place(path);
  return place.found() ? ::unlinkat(place.folder(), place.name(), 0) : -1;
}

int RenamePath(const std::filesystem::path& from, const std::filesystem::path& to) {
  const Place old(from), fresh(to);
  if (!old.found() || !fresh.found()) return -1;
  return ::renameat(old.folder(), old.name(), fresh.folder(), fresh.name());
}

Result<void> MakeFolders(const std::filesystem::path& path) {
  const Place place(path / "x", true);
  std::error_code error;
  if (!place.walked()) std::filesystem::create_directories(path, error);
  if (error) return ErrnoError("cannot create folder", path, error.value());
  if (!place.found()) return ErrnoError("cannot create folder", path, errno);
  return Ok();
}

Result<std::vector<std::string>> ListFolder(const std::filesystem::path& path) {
  const int fd = OpenPath(path, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(fd < 0 ? nullptr : ::fdopendir(fd), &::closedir);
  if (folder == nullptr) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    return ErrnoError("cannot list", path, error);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoError("cannot list", path, errno);
  return names;
}

void RemoveFolder(const std::filesystem::path& path) {
  const auto names = ListFolder(path);
  if (!names) return;
  for (const std::string& name : names.value()) (void)UnlinkPath(path / name);
  const Place place(path);
  if (place.found()) (void)::unlinkat(place.folder(), place.name(), AT_REMOVEDIR);
}

}  // namespace portcullis::audit
