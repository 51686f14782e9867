// A query as one SELECT. Its text is put together from fixed pieces, every value is bound; at most
// kMaxValues of them, so that no caller makes a statement of any size.

#include <sqlite3.h>

#include <variant>

#include "audit/bytes.h"
#include "audit/index.h"
#include "audit/index_rows.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxValues = 500;  // SQLite's own bound is 32766

class Select {
 public:
  void Where(const std::string& condition) { sql_ += (sql_.empty() ? " WHERE " : " AND ") + condition; }
  // A place for the value, to stand in a condition.
  std::string Value(uint64_t number) { return Put(number); }
  std::string Value(std::span<const uint8_t> bytes) { return Put(std::string(AsText(bytes))); }
  bool too_long() const { return values_.size() > kMaxValues; }

  Result<void> Prepare(sqlite3* db, uint64_t limit, IndexStatement& out) const {
    BOOST_OUTCOME_TRY(out.Prepare(db, "SELECT seq, segment, place FROM record" + sql_ + " ORDER BY seq LIMIT " +
                                          std::to_string(limit)));
    for (size_t i = 0; i < values_.size(); ++i) {
      const int at = static_cast<int>(i) + 1;
      if (const auto* number = std::get_if<uint64_t>(&values_[i])) out.Bind(at, *number);
      else out.Bind(at, AsBytes(std::get<std::string>(values_[i])));
    }
    return Ok();
  }

 private:
  std::string Put(std::variant<uint64_t, std::string> value) {
    values_.push_back(std::move(value));
    return "?" + std::to_string(values_.size());
  }

  std::string sql_;
  std::vector<std::variant<uint64_t, std::string>> values_;
};

std::string TermCondition(TermRole role, const std::string& names) {
  return "(role=" + std::to_string(static_cast<int64_t>(role)) + " AND name IN (SELECT id FROM name WHERE value IN (" +
         names + ")))";
}

constexpr uint64_t kMaxTime = INT64_MAX;

}  // namespace

Result<std::vector<IndexHit>> SearchIndex::Find(const Query& query, uint64_t limit) {
  Select select;
  if (query.begin_us > 0) select.Where("wall_us>=" + select.Value(std::min(query.begin_us, kMaxTime)));
  if (query.end_us <= kMaxTime) select.Where("wall_us<" + select.Value(query.end_us));
  if (query.outcome) select.Where("outcome=" + select.Value(uint64_t{*query.outcome}));
  if (query.parent) select.Where("parent=" + select.Value(*query.parent));
  if (query.request) select.Where("seq IN (SELECT seq FROM request WHERE id=" + select.Value(*query.request) + ")");
  if (query.policy) {
    select.Where("seq IN (SELECT seq FROM term WHERE " + TermCondition(TermRole::kPolicy, select.Value(*query.policy)) + ")");
  }
  std::string kinds;
  for (const Kind kind : query.kinds) kinds += (kinds.empty() ? "" : ",") + select.Value(static_cast<uint64_t>(kind));
  if (!kinds.empty()) select.Where("kind IN (" + kinds + ")");
  for (const std::vector<SearchTerm>& any : query.terms) {
    std::string conditions;
    for (const SearchTerm& term : any) {
      std::string names;
      for (const SearchTerm::Yearly& yearly : term.tags()) names += (names.empty() ? "" : ",") + select.Value(yearly.tag);
      conditions += (conditions.empty() ? "" : " OR ") + TermCondition(static_cast<TermRole>(term.where()), names);
    }
    if (!conditions.empty()) select.Where("seq IN (SELECT seq FROM term WHERE " + conditions + ")");
  }
  if (select.too_long()) {
    return Error{Code::kTooLarge, "search index: more than " + std::to_string(kMaxValues) + " values are asked for"};
  }
  IndexStatement statement;
  BOOST_OUTCOME_TRY(select.Prepare(db_, limit, statement));
  std::vector<IndexHit> hits;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, statement.Step());
    if (!more) return hits;
    hits.push_back({statement.Number(0), statement.Number(1), statement.Number(2)});
  }
}

}  // namespace portcullis::audit
