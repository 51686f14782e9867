// The SQLite file behind a revision store: two tables, append-only, one transaction a change
// (FORMAT.md). Knows bytes and numbers, not what they mean. Durable on return: rollback journal,
// synchronous = EXTRA. A second process may read at any time and write between two transactions.
// Used by one thread at a time. Failure: kStorage; kRevisionDamaged for a damaged file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/event.h"

namespace portcullis::policy::revise {

class RevisionDatabase {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // Creates the file (mode 0600) when it is missing and the mode allows.
  static Result<RevisionDatabase> Open(const std::filesystem::path& file, Mode mode);

  struct EventRow {
    int64_t seq = 0;
    std::string document, hash, signature;
  };
  // In order of seq; `visit` returns false to stop.
  Result<void> ForEachEvent(const std::function<bool(const EventRow&)>& visit);
  // The document of the content with this hash; nothing when there is no such row.
  Result<std::optional<std::string>> FindContent(const Hash& hash);

  struct NewContent {
    Hash hash{};
    std::string document;
  };
  // All or nothing. kStale when the last event in the file is not `head` with number `seq`.
  // `before_commit` is called with the transaction open.
  Result<void> Append(uint64_t seq, const Hash& head, std::span<const SealedEvent> events,
                      const std::optional<NewContent>& content,
                      const std::function<void()>& before_commit);

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  RevisionDatabase(sqlite3* db, std::string name) : db_(db), name_(std::move(name)) {}

  Error Failed(int code) const;
  Result<void> Execute(const char* sql);
  Result<int64_t> Number(const char* sql);
  Result<void> Prepare(Mode mode);
  Result<void> CheckHead(uint64_t seq, const Hash& head);
  Result<void> Insert(std::span<const SealedEvent> events,
                      const std::optional<NewContent>& content);

  std::unique_ptr<sqlite3, Close> db_;
  std::string name_;
};

}  // namespace portcullis::policy::revise
