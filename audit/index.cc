// The life of an index file. Three files in index/: the lock, search.db, and search.sum, one line that says
// of which file, at which place (device and inode), with which bytes (BLAKE2b-256 over all of it) the
// database is whole. The sum goes before the first change and comes back after the last: a database without
// its sum was cut off in an update, one that does not fit it was changed by something else, and a journal
// lying about is of no use. Nothing is repaired; all of it can be built again from the segments.

#include "audit/index.h"

#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "audit/bytes.h"
#include "audit/index_rows.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kSumHeader = "portcullis audit index v1 ";
constexpr size_t kMaxSum = 256;
constexpr uint64_t kBytesPerRecord = 512;  // a generous guess, with the journal
constexpr uint64_t kKeepPercent = 10;
constexpr uint64_t kKeepBytes = 128u << 20;

struct IndexFiles {
  explicit IndexFiles(const std::filesystem::path& log_folder) : folder(Within(log_folder) / "index") {}
  std::filesystem::path lock() const { return folder / "lock"; }
  std::filesystem::path database() const { return folder / "search.db"; }
  std::filesystem::path sum() const { return folder / "search.sum"; }
  std::vector<std::filesystem::path> leftovers() const {
    return {folder / "search.db-journal", folder / "search.db-wal", folder / "search.db-shm"};
  }

  std::filesystem::path folder;
};

// The line for the database as it lies there now.
Result<std::string> SumOf(const std::filesystem::path& path) {
  const Fd fd(OpenPath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return ErrnoError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError("cannot examine", path, errno);
  if (!S_ISREG(info.st_mode) || (info.st_uid != ::geteuid() && info.st_uid != 0) || (info.st_mode & 077) != 0) {
    return IndexDamaged("`" + ShownPath(path) + "` is not a file of its user's alone");
  }
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, 32);
  std::string buffer(1u << 20, '\0');
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read", path, errno);
    if (got == 0) break;
    crypto_generichash_update(&state, AsBytes(buffer).data(), static_cast<size_t>(got));
  }
  Hash hash;
  crypto_generichash_final(&state, hash.data(), hash.size());
  return std::string(kSumHeader) + std::to_string(info.st_dev) + " " + std::to_string(info.st_ino) + " " + Hex(hash) + "\n";
}

// The log's disk is the log's: an index must not bring it near the watermark where appends are refused.
Result<void> LeaveRoom(const std::filesystem::path& log_folder, uint64_t records) {
  BOOST_OUTCOME_TRY(const Fd fd, OpenFolder(log_folder));
  BOOST_OUTCOME_TRY(const DiskSpace space, WriteOps().Space(fd.get()));
  if (space.free > records * kBytesPerRecord + space.total / 100 * kKeepPercent + kKeepBytes) return Ok();
  return Error{Code::kDiskLow, "search index: not enough room on the log's disk"};
}

}  // namespace

SearchIndex::~SearchIndex() { sqlite3_close(db_); }

Result<std::unique_ptr<SearchIndex>> SearchIndex::Lock(const std::filesystem::path& log_folder, const VerifierKey& key) {
  const IndexFiles files(log_folder);
  BOOST_OUTCOME_TRY(RefuseLink(files.folder));
  BOOST_OUTCOME_TRY(MakeFolder(files.folder));
  auto lock = LockFile(files.lock());
  if (!lock && lock.error().code == Code::kLocked) return Error{Code::kLocked, "search index: another search has it"};
  if (!lock) return lock.error();
  return std::unique_ptr<SearchIndex>(new SearchIndex(log_folder, key, std::move(lock.value())));
}

Result<std::unique_ptr<SearchIndex>> SearchIndex::Open(const std::filesystem::path& log_folder, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(auto index, Lock(log_folder, key));
  const IndexFiles files(log_folder);
  std::error_code error;
  if (!std::filesystem::exists(files.database(), error) && !std::filesystem::exists(files.sum(), error)) {
    return Error{Code::kNotFound, "there is no search index yet"};
  }
  BOOST_OUTCOME_TRY(index->CheckSum());
  BOOST_OUTCOME_TRY(index->OpenDatabase(false));
  BOOST_OUTCOME_TRY(index->LoadCover());
  return index;
}

Result<std::unique_ptr<SearchIndex>> SearchIndex::Create(const std::filesystem::path& log_folder, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(auto index, Lock(log_folder, key));
  const IndexFiles files(log_folder);
  std::vector<std::filesystem::path> old = files.leftovers();
  old.push_back(files.sum());  // first of all: without it nothing there counts
  std::swap(old.front(), old.back());
  old.push_back(files.database());
  for (const auto& path : old) {
    if (UnlinkPath(path) != 0 && errno != ENOENT) return ErrnoError("cannot remove", path, errno);
  }
  BOOST_OUTCOME_TRY(index->OpenDatabase(true));
  BOOST_OUTCOME_TRY(index->Execute(kIndexSchema));
  BOOST_OUTCOME_TRY(index->SaveCover());
  BOOST_OUTCOME_TRY(index->WriteSum());
  return index;
}

Result<void> SearchIndex::OpenDatabase(bool create) {
  int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE;
  if (create) flags |= SQLITE_OPEN_CREATE;
  const std::filesystem::path path = IndexFiles(log_folder_).database();
  const mode_t old_mask = ::umask(0077);
  const int opened = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
  ::umask(old_mask);
  if (opened != SQLITE_OK) return IndexError(db_, "cannot open");
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return Execute("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA trusted_schema=OFF;"
                 "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;");
}

Result<void> SearchIndex::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return IndexError(db_, "cannot run a statement");
  return Ok();
}

Result<void> SearchIndex::CheckSum() const {
  const IndexFiles files(log_folder_);
  for (const auto& path : files.leftovers()) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return IndexDamaged("an update was cut off (`" + path.filename().string() + "`)");
  }
  const auto said = ReadFile(files.sum(), kMaxSum);
  if (!said && said.error().code == Code::kNotFound) return IndexDamaged("an update was cut off");
  if (!said) return said.error();
  const auto found = SumOf(files.database());
  if (!found && found.error().code == Code::kNotFound) return IndexDamaged("search.db is missing");
  if (!found) return found.error();
  if (said.value() != found.value()) return IndexDamaged("its bytes were changed or it was put here from elsewhere");
  return Ok();
}

Result<void> SearchIndex::WriteSum() const {
  const IndexFiles files(log_folder_);
  BOOST_OUTCOME_TRY(const std::string line, SumOf(files.database()));
  return ReplaceFile(files.sum(), line, true);
}

Result<void> SearchIndex::SaveCover() {
  std::string value;
  ByteWriter out(value);
  out.PutBytes(OriginId(key_.name));
  out.Put(cover_.tree.size());
  for (const Hash& node : cover_.tree.nodes()) out.PutBytes(node);
  out.Put(cover_.segment);
  out.Put(cover_.offset);
  out.PutBytes(cover_.last_batch);
  IndexStatement put;
  BOOST_OUTCOME_TRY(put.Prepare(db_, "INSERT OR REPLACE INTO meta(id, value) VALUES('cover', ?1)"));
  return put.Bind(1, AsBytes(value)).Run();
}

Result<void> SearchIndex::LoadCover() {
  IndexStatement get;
  BOOST_OUTCOME_TRY(get.Prepare(db_, "SELECT value FROM meta WHERE id='cover'"));
  BOOST_OUTCOME_TRY(const bool there, get.Step());
  if (!there) return IndexDamaged("it does not say what it covers");
  const std::string value = get.Bytes(0);
  ByteReader in(value);
  if (in.GetArray<16>() != OriginId(key_.name)) return IndexDamaged("it belongs to another log");
  const uint64_t size = in.Get<uint64_t>();
  std::vector<Hash> nodes;
  for (int i = 0; i < std::popcount(size); ++i) nodes.push_back(in.GetArray<32>());
  BOOST_OUTCOME_TRY(cover_.tree, CompactRange::Restore(size, std::move(nodes)));
  cover_.segment = in.Get<uint64_t>();
  cover_.offset = in.Get<uint64_t>();
  cover_.last_batch = in.GetArray<32>();
  if (!in.Finished()) return IndexDamaged("what it says of its cover is malformed");
  return Ok();
}

Result<void> SearchIndex::Extend(const Checkpoint& head, const ScanProgress& progress) {
  BOOST_OUTCOME_TRY(const std::vector<uint64_t> moved, Moved());
  if (moved.empty() && head.size == cover_.tree.size()) return Ok();
  BOOST_OUTCOME_TRY(LeaveRoom(log_folder_, head.size - std::min(head.size, cover_.tree.size())));
  const std::filesystem::path sum = IndexFiles(log_folder_).sum();
  if (UnlinkPath(sum) != 0) return ErrnoError("cannot remove", sum, errno);
  BOOST_OUTCOME_TRY(Execute("BEGIN IMMEDIATE"));
  const auto take = [&]() -> Result<void> {
    for (const uint64_t segment : moved) {
      BOOST_OUTCOME_TRY(Relocate(segment));
    }
    BOOST_OUTCOME_TRY(TakeNew(head, progress));
    BOOST_OUTCOME_TRY(SaveCover());
    return Execute("COMMIT");
  };
  if (auto taken = take(); !taken) {
    (void)Execute("ROLLBACK");
    return taken;
  }
  return WriteSum();
}

}  // namespace portcullis::audit
