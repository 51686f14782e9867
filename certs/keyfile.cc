#include "certs/keyfile.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace portcullis::certs {
namespace {

constexpr std::string_view kMagic = "PORTCULLIS-KEY-V1";
constexpr size_t kCheckBytes = 8;
constexpr size_t kMaxLine = 8192;
constexpr size_t kMaxPublicFile = 1 << 20;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error IoError(const char* what, const std::filesystem::path& path, int error) {
  Code code = Code::kIo;
  if (error == ENOENT) code = Code::kNotFound;
  if (error == EEXIST) code = Code::kExists;
  if (error == EACCES || error == EPERM || error == ELOOP) code = Code::kPermission;
  std::string hint = error == ELOOP ? " (a symbolic link is not accepted)" : "";
  if (error == EEXIST) hint = " (keys are never overwritten; move the old file away first)";
  return Error{code, std::string(what) + " `" + path.string() + "`: " + std::strerror(error) + hint};
}

std::array<uint8_t, kCheckBytes> Checksum(std::string_view type, std::span<const uint8_t> key) {
  crypto_generichash_state state;
  std::array<uint8_t, 32> full;
  crypto_generichash_init(&state, nullptr, 0, full.size());
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(type.data()), type.size());
  const uint8_t zero = 0;
  crypto_generichash_update(&state, &zero, 1);
  crypto_generichash_update(&state, key.data(), key.size());
  crypto_generichash_final(&state, full.data(), full.size());
  std::array<uint8_t, kCheckBytes> check;
  std::memcpy(check.data(), full.data(), check.size());
  sodium_memzero(&state, sizeof state);
  return check;
}

bool ValidType(std::string_view type) {
  if (type.empty() || type.size() > 32) return false;
  for (const char c : type) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

// The line holds the secret: it is built in secret memory.
Result<SecretBytes> FormatLine(std::string_view type, std::span<const uint8_t> key) {
  if (!ValidType(type)) {
    return Error{Code::kInvalidArgument, "key type must be 1-32 characters of a-z, 0-9 and -"};
  }
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return Error{Code::kInvalidArgument, "key must have 1 to 4096 bytes"};
  }
  const size_t encoded = sodium_base64_encoded_len(key.size(), sodium_base64_VARIANT_ORIGINAL);
  SecretBytes line(kMagic.size() + 1 + type.size() + 1 + encoded + 1 + 2 * kCheckBytes + 1);
  char* out = reinterpret_cast<char*>(line.data());
  const auto put = [&out](std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  };
  put(kMagic);
  put(" ");
  put(type);
  put(" ");
  sodium_bin2base64(out, encoded, key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  out += encoded - 1;
  put(" ");
  std::array<char, 2 * kCheckBytes + 1> hex;
  const auto check = Checksum(type, key);
  sodium_bin2hex(hex.data(), hex.size(), check.data(), check.size());
  put({hex.data(), 2 * kCheckBytes});
  put("\n");
  SecretBytes exact = SecretBytes::CopyOf(
      line.bytes().first(static_cast<size_t>(out - reinterpret_cast<char*>(line.data()))));
  return exact;
}

Result<SecretBytes> ParseLine(std::string_view line, std::string_view type, size_t size,
                              const std::filesystem::path& path) {
  const auto bad = [&path](const std::string& why) {
    return Error{Code::kBadFormat, "key file `" + path.string() + "`: " + why};
  };
  std::array<std::string_view, 4> fields;
  size_t count = 0;
  while (!line.empty()) {
    const size_t space = line.find(' ');
    if (count == fields.size()) return bad("too many fields");
    fields[count++] = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  }
  if (count != fields.size() || fields[0] != kMagic) {
    return bad("expected `PORTCULLIS-KEY-V1 <type> <base64> <checksum>`");
  }
  if (fields[1] != type) {
    return bad("holds a key of another type, expected `" + std::string(type) + "`");
  }
  if (fields[2].size() > kMaxLine) return bad("key is too long");
  SecretBytes key(kMaxKeyBytes);
  size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(key.data(), key.size(), fields[2].data(), fields[2].size(), nullptr, &length,
                        &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != fields[2].data() + fields[2].size()) {
    return bad("key is not valid base64");
  }
  if (length != size) {
    return bad("key has " + std::to_string(length) + " bytes, expected " + std::to_string(size));
  }
  std::array<char, 2 * kCheckBytes + 1> hex;
  const auto check = Checksum(type, key.bytes().first(length));
  sodium_bin2hex(hex.data(), hex.size(), check.data(), check.size());
  if (fields[3] != std::string_view(hex.data(), 2 * kCheckBytes)) {
    return bad("checksum does not match: the file is damaged, restore it from a copy");
  }
  return SecretBytes::CopyOf(key.bytes().first(length));
}

bool InCredentialsDirectory(const std::filesystem::path& path) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder != nullptr && *folder != '\0' && path.parent_path() == folder;
}

Result<SecretBytes> ReadAll(const std::filesystem::path& path, size_t max_size, bool secret) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return IoError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return IoError("cannot examine", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{Code::kPermission, "`" + path.string() + "` is not a regular file"};
  }
  if (secret) {
    // systemd hands credentials over as root's files with an access list, which shows as group bits.
    const bool credential = InCredentialsDirectory(path);
    const bool owner_ok = info.st_uid == ::geteuid() || (credential && info.st_uid == 0);
    const mode_t refused = credential ? 0037 : 0077;
    if (!owner_ok) {
      return Error{Code::kPermission, "`" + path.string() + "` belongs to user " +
                                          std::to_string(info.st_uid) +
                                          "; a secret must belong to the user that reads it"};
    }
    if ((info.st_mode & refused) != 0) {
      return Error{Code::kPermission, "`" + path.string() +
                                          "` can be read by others; run chmod 600 on it"};
    }
  }
  if (info.st_size < 0 || static_cast<size_t>(info.st_size) > max_size) {
    return Error{Code::kBadFormat, "`" + path.string() + "` is larger than " +
                                       std::to_string(max_size) + " bytes"};
  }
  SecretBytes content(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError("cannot read", path, errno);
    if (got == 0) return Error{Code::kIo, "`" + path.string() + "` shrank while it was read"};
    done += static_cast<size_t>(got);
  }
  return content;
}

std::string_view View(const SecretBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<void> WriteNew(const std::filesystem::path& path, std::span<const uint8_t> content,
                      mode_t mode) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (fd.get() < 0) return IoError("cannot create", path, errno);
  const auto fail = [&path](const char* what) {
    const int error = errno;
    ::unlink(path.c_str());
    return IoError(what, path, error);
  };
  if (::fchmod(fd.get(), mode) != 0) return fail("cannot set the mode of");
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t put = ::write(fd.get(), content.data() + done, content.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail("cannot write");
    done += static_cast<size_t>(put);
  }
  if (::fsync(fd.get()) != 0) return fail("cannot sync");
  const std::filesystem::path parent = path.parent_path().empty() ? "." : path.parent_path();
  const Fd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return fail("cannot sync the folder of");
  return Ok();
}

}  // namespace

Result<void> WriteKeyFile(const std::filesystem::path& path, std::string_view type,
                          std::span<const uint8_t> key) {
  InitSodium();
  BOOST_OUTCOME_TRY(const SecretBytes line, FormatLine(type, key));
  return WriteNew(path, line.bytes(), 0600);
}

Result<SecretBytes> ReadKeyFile(const std::filesystem::path& path, std::string_view type,
                                size_t size) {
  InitSodium();
  BOOST_OUTCOME_TRY(const SecretBytes content, ReadAll(path, kMaxLine, true));
  std::string_view line = View(content);
  if (line.ends_with('\n')) line.remove_suffix(1);
  return ParseLine(line, type, size, path);
}

Result<void> WritePublicKeyFile(const std::filesystem::path& path, std::string_view type,
                                std::span<const uint8_t> key) {
  InitSodium();
  BOOST_OUTCOME_TRY(const SecretBytes line, FormatLine(type, key));
  return WriteNew(path, line.bytes(), 0644);
}

Result<std::vector<std::vector<uint8_t>>> ReadPublicKeyFile(const std::filesystem::path& path,
                                                            std::string_view type, size_t size) {
  InitSodium();
  BOOST_OUTCOME_TRY(const SecretBytes content, ReadAll(path, kMaxPublicFile, false));
  std::vector<std::vector<uint8_t>> keys;
  std::string_view rest = View(content);
  while (!rest.empty()) {
    const size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest = newline == std::string_view::npos ? std::string_view() : rest.substr(newline + 1);
    if (line.empty() || line.front() == '#') continue;
    BOOST_OUTCOME_TRY(const SecretBytes key, ParseLine(line, type, size, path));
    keys.emplace_back(key.bytes().begin(), key.bytes().end());
  }
  if (keys.empty()) {
    return Error{Code::kBadFormat, "`" + path.string() + "` holds no key of type `" +
                                       std::string(type) + "`"};
  }
  return keys;
}

Result<SecretBytes> ReadSecretFile(const std::filesystem::path& path, size_t max_size) {
  InitSodium();
  return ReadAll(path, max_size, true);
}

Result<void> WriteSecretFile(const std::filesystem::path& path, std::span<const uint8_t> content) {
  return WriteNew(path, content, 0600);
}

std::optional<std::filesystem::path> CredentialPath(std::string_view name) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  std::filesystem::path path = std::filesystem::path(folder) / name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return path;
}

std::filesystem::path FindKey(const std::filesystem::path& folder, std::string_view name) {
  if (auto credential = CredentialPath(name)) return *credential;
  return folder / name;
}

}  // namespace portcullis::certs
