// Values of the Cedar language: immutable, shared by reference count, 16 bytes, cheap to copy.
// A set is kept sorted without duplicates and a record sorted by name, so equality is one pass.
// Threads may share values freely. Depth is bounded by whoever builds them (parser and JSON reader
// refuse more than kMaxDepth levels), therefore the recursive operations here cannot run away.
// Long, decimal (ten-thousandths), datetime (ms since 1970) and duration (ms) are all int64.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/error.h"

namespace portcullis::policy::cedar {

struct EntityUid {
  std::string type;  // with its namespace: "Gw::User"
  std::string id;

  auto operator<=>(const EntityUid&) const = default;
  bool operator==(const EntityUid&) const = default;
};

size_t HashOf(std::string_view type, std::string_view id);
inline size_t HashOf(const EntityUid& uid) { return HashOf(uid.type, uid.id); }
std::string ToText(const EntityUid& uid);  // Gw::User::"alice"

// An address or range. v4 addresses occupy the first four bytes.
struct IpRange {
  std::array<uint8_t, 16> address{};
  uint8_t prefix = 0;
  bool v6 = false;

  auto operator<=>(const IpRange&) const = default;
};

enum class Kind : uint8_t {
  kBool,
  kLong,
  kDecimal,
  kDatetime,
  kDuration,
  kString,
  kEntity,
  kIp,
  kSet,
  kRecord,
};
std::string_view NameOf(Kind kind);  // as in messages: "long", "entity", "ipaddr"

class Value {
 public:
  using Field = std::pair<std::string, Value>;

  Value() : kind_(Kind::kBool), long_(0) {}
  Value(const Value& other) : kind_(other.kind_), long_(other.long_) {
    if (HasNode()) {
      node_ = other.node_;
      node_->refs.fetch_add(1, std::memory_order_relaxed);
    }
  }
  Value(Value&& other) noexcept : kind_(Kind::kBool), long_(0) { Swap(other); }
  Value& operator=(const Value& other) {
    Value copy(other);
    Swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value moved(std::move(other));
    Swap(moved);
    return *this;
  }
  ~Value() {
    if (HasNode()) Release();
  }

  static Value Bool(bool value) { return Value(Kind::kBool, value); }
  static Value Long(int64_t value) { return Value(Kind::kLong, value); }
  static Value String(std::string value);
  static Value Entity(EntityUid uid);
  static Value Entity(std::string type, std::string id) {
    return Entity(EntityUid{std::move(type), std::move(id)});
  }
  static Value Set(std::vector<Value> elements);
  static Value Record(std::vector<Field> fields);  // of equal names the last one counts
  static Value Datetime(int64_t milliseconds) { return Value(Kind::kDatetime, milliseconds); }
  static Value Duration(int64_t milliseconds) { return Value(Kind::kDuration, milliseconds); }
  static Value Decimal(int64_t ten_thousandths) { return Value(Kind::kDecimal, ten_thousandths); }
  static Value Ip(const IpRange& range);

  // From the text forms of Cedar's constructors: ip("10.0.0.0/8"), decimal("1.25"),
  // datetime("2026-01-31T08:00:00Z"), duration("1d2h").
  static Result<Value> ParseIp(std::string_view text);
  static Result<Value> ParseDecimal(std::string_view text);
  static Result<Value> ParseDatetime(std::string_view text);
  static Result<Value> ParseDuration(std::string_view text);

  Kind kind() const { return kind_; }
  bool IsLong() const { return kind_ == Kind::kLong; }
  bool IsBool() const { return kind_ == Kind::kBool; }

  // Each requires that kind() matches.
  bool bool_value() const { return long_ != 0; }
  int64_t long_value() const { return long_; }  // also decimal, datetime, duration
  const std::string& string() const;
  const EntityUid& entity() const;
  size_t entity_hash() const;
  const IpRange& ip() const;
  const std::vector<Value>& elements() const;      // of a set, sorted
  const std::vector<Field>& fields() const;        // of a record, sorted by name
  const Value* Find(std::string_view name) const;  // of a record; nullptr when absent
  bool Contains(const Value& element) const;       // of a set

  // A total order over all values; only the language's own comparisons give it meaning.
  friend std::strong_ordering operator<=>(const Value& left, const Value& right);
  friend bool operator==(const Value& left, const Value& right);

  std::string ToText() const;  // as a Cedar expression
  int Depth() const;           // 1 for a value without parts

 private:
  struct Node {
    mutable std::atomic<uint32_t> refs{1};
  };
  struct StringNode;
  struct EntityNode;
  struct IpNode;
  struct SetNode;
  struct RecordNode;

  Value(Kind kind, int64_t value) : kind_(kind), long_(value) {}
  Value(Kind kind, Node* node) : kind_(kind), node_(node) {}
  bool HasNode() const { return kind_ >= Kind::kString; }
  void Release();
  void Swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(long_, other.long_);
  }

  Kind kind_;
  union {
    int64_t long_;
    Node* node_;
  };
  static_assert(sizeof(int64_t) == sizeof(Node*), "Swap and the copy move both through long_");
};

// Deepest nesting of values and of syntax trees that is accepted, and of parentheses, brackets,
// braces and `if` in a text: the latter is lower because a parser's frames are large.
inline constexpr int kMaxDepth = 512;
inline constexpr int kMaxNesting = 200;

}  // namespace portcullis::policy::cedar
