#include "policy/cedar/value.h"

#include <algorithm>

#include "policy/cedar/extension.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {

struct Value::StringNode : Node {
  explicit StringNode(std::string value) : text(std::move(value)) {}
  std::string text;
};
struct Value::EntityNode : Node {
  explicit EntityNode(EntityUid value) : uid(std::move(value)), hash(HashOf(uid)) {}
  EntityUid uid;
  size_t hash;
};
struct Value::IpNode : Node {
  explicit IpNode(const IpRange& value) : range(value) {}
  IpRange range;
};
struct Value::SetNode : Node {
  explicit SetNode(std::vector<Value> values) : elements(std::move(values)) {}
  std::vector<Value> elements;
};
struct Value::RecordNode : Node {
  explicit RecordNode(std::vector<Field> values) : fields(std::move(values)) {}
  std::vector<Field> fields;
};

size_t HashOf(std::string_view type, std::string_view id) {
  const size_t first = std::hash<std::string_view>{}(type);
  const size_t second = std::hash<std::string_view>{}(id);
  return first ^ (second + 0x9e3779b97f4a7c15u + (first << 6) + (first >> 2));
}

std::string ToText(const EntityUid& uid) { return uid.type + "::" + Quoted(uid.id); }

std::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return "bool";
    case Kind::kLong:
      return "long";
    case Kind::kDecimal:
      return "decimal";
    case Kind::kDatetime:
      return "datetime";
    case Kind::kDuration:
      return "duration";
    case Kind::kString:
      return "string";
    case Kind::kEntity:
      return "entity";
    case Kind::kIp:
      return "ipaddr";
    case Kind::kSet:
      return "set";
    case Kind::kRecord:
      return "record";
  }
  return "unknown";
}

void Value::Release() {
  if (node_->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  switch (kind_) {
    case Kind::kString:
      delete static_cast<StringNode*>(node_);
      break;
    case Kind::kEntity:
      delete static_cast<EntityNode*>(node_);
      break;
    case Kind::kIp:
      delete static_cast<IpNode*>(node_);
      break;
    case Kind::kSet:
      delete static_cast<SetNode*>(node_);
      break;
    case Kind::kRecord:
      delete static_cast<RecordNode*>(node_);
      break;
    default:
      break;
  }
}

Value Value::String(std::string value) {
  return Value(Kind::kString, new StringNode(std::move(value)));
}
Value Value::Entity(EntityUid uid) { return Value(Kind::kEntity, new EntityNode(std::move(uid))); }
Value Value::Ip(const IpRange& range) { return Value(Kind::kIp, new IpNode(range)); }

Value Value::Set(std::vector<Value> elements) {
  std::sort(elements.begin(), elements.end(),
            [](const Value& a, const Value& b) { return (a <=> b) < 0; });
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return Value(Kind::kSet, new SetNode(std::move(elements)));
}

Value Value::Record(std::vector<Field> fields) {
  const auto disorder =
      std::adjacent_find(fields.begin(), fields.end(),
                         [](const Field& a, const Field& b) { return !(a.first < b.first); });
  if (disorder == fields.end()) return Value(Kind::kRecord, new RecordNode(std::move(fields)));
  std::stable_sort(fields.begin(), fields.end(),
                   [](const Field& a, const Field& b) { return a.first < b.first; });
  std::vector<Field> kept;
  kept.reserve(fields.size());
  for (Field& field : fields) {
    if (!kept.empty() && kept.back().first == field.first) {
      kept.back() = std::move(field);
    } else {
      kept.push_back(std::move(field));
    }
  }
  return Value(Kind::kRecord, new RecordNode(std::move(kept)));
}

Result<Value> Value::ParseIp(std::string_view text) {
  BOOST_OUTCOME_TRY(const IpRange range, ParseIpRange(text));
  return Ip(range);
}
Result<Value> Value::ParseDecimal(std::string_view text) {
  BOOST_OUTCOME_TRY(const int64_t value, ParseDecimalText(text));
  return Decimal(value);
}
Result<Value> Value::ParseDatetime(std::string_view text) {
  BOOST_OUTCOME_TRY(const int64_t value, ParseDatetimeText(text));
  return Datetime(value);
}
Result<Value> Value::ParseDuration(std::string_view text) {
  BOOST_OUTCOME_TRY(const int64_t value, ParseDurationText(text));
  return Duration(value);
}

const std::string& Value::string() const { return static_cast<StringNode*>(node_)->text; }
const EntityUid& Value::entity() const { return static_cast<EntityNode*>(node_)->uid; }
size_t Value::entity_hash() const { return static_cast<EntityNode*>(node_)->hash; }
const IpRange& Value::ip() const { return static_cast<IpNode*>(node_)->range; }
const std::vector<Value>& Value::elements() const { return static_cast<SetNode*>(node_)->elements; }
const std::vector<Value::Field>& Value::fields() const {
  return static_cast<RecordNode*>(node_)->fields;
}

const Value* Value::Find(std::string_view name) const {
  const std::vector<Field>& all = fields();
  const auto found =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const Field& field, std::string_view key) { return field.first < key; });
  return found != all.end() && found->first == name ? &found->second : nullptr;
}

bool Value::Contains(const Value& element) const {
  const std::vector<Value>& all = elements();
  return std::binary_search(all.begin(), all.end(), element,
                            [](const Value& a, const Value& b) { return (a <=> b) < 0; });
}

std::strong_ordering operator<=>(const Value& left, const Value& right) {
  if (left.kind_ != right.kind_) return left.kind_ <=> right.kind_;
  if (!left.HasNode()) return left.long_ <=> right.long_;
  if (left.node_ == right.node_) return std::strong_ordering::equal;
  switch (left.kind_) {
    case Kind::kString:
      return left.string() <=> right.string();
    case Kind::kEntity:
      return left.entity() <=> right.entity();
    case Kind::kIp:
      return left.ip() <=> right.ip();
    case Kind::kSet:
      return std::lexicographical_compare_three_way(left.elements().begin(), left.elements().end(),
                                                    right.elements().begin(),
                                                    right.elements().end());
    default:
      return std::lexicographical_compare_three_way(left.fields().begin(), left.fields().end(),
                                                    right.fields().begin(), right.fields().end());
  }
}

bool operator==(const Value& left, const Value& right) {
  if (left.kind_ != right.kind_) return false;
  if (!left.HasNode()) return left.long_ == right.long_;
  if (left.node_ == right.node_) return true;
  switch (left.kind_) {
    case Kind::kString:
      return left.string() == right.string();
    case Kind::kEntity:
      return left.entity_hash() == right.entity_hash() && left.entity() == right.entity();
    case Kind::kIp:
      return left.ip() == right.ip();
    case Kind::kSet:
      return left.elements() == right.elements();
    default:
      return left.fields() == right.fields();
  }
}

std::string Value::ToText() const {
  switch (kind_) {
    case Kind::kBool:
      return bool_value() ? "true" : "false";
    case Kind::kLong:
      return std::to_string(long_);
    case Kind::kDecimal:
      return "decimal(\"" + DecimalText(long_) + "\")";
    case Kind::kDatetime:
      return DatetimeText(long_);
    case Kind::kDuration:
      return "duration(\"" + std::to_string(long_) + "ms\")";
    case Kind::kString:
      return Quoted(string());
    case Kind::kEntity:
      return cedar::ToText(entity());
    case Kind::kIp:
      return "ip(\"" + IpText(ip()) + "\")";
    case Kind::kSet: {
      std::string text = "[";
      for (const Value& element : elements()) {
        if (text.size() > 1) text += ", ";
        text += element.ToText();
      }
      return text + "]";
    }
    case Kind::kRecord: {
      std::string text = "{";
      for (const Field& field : fields()) {
        if (text.size() > 1) text += ", ";
        text += (IsIdentifier(field.first) ? field.first : Quoted(field.first)) + ": " +
                field.second.ToText();
      }
      return text + "}";
    }
  }
  return {};
}

int Value::Depth() const {
  int deepest = 0;
  if (kind_ == Kind::kSet) {
    for (const Value& element : elements()) deepest = std::max(deepest, element.Depth());
  } else if (kind_ == Kind::kRecord) {
    for (const Field& field : fields()) deepest = std::max(deepest, field.second.Depth());
  }
  return deepest + 1;
}

}  // namespace portcullis::policy::cedar
