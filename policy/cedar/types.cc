#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {

TypePtr SimpleType(Type::Kind kind) {
  Type type;
  type.kind = kind;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr EntityTypeOf(const std::string& name) {
  Type type;
  type.kind = Type::Kind::kEntity;
  type.entity = name;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr SetOf(TypePtr element) {
  Type type;
  type.kind = Type::Kind::kSet;
  type.element = std::move(element);
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Truth(bool value) { return SimpleType(value ? Type::Kind::kTrue : Type::Kind::kFalse); }

bool IsBool(const Type& type) {
  return type.kind == Type::Kind::kBool || type.kind == Type::Kind::kTrue ||
         type.kind == Type::Kind::kFalse;
}
bool IsTrue(const TypePtr& type) { return type && type->kind == Type::Kind::kTrue; }
bool IsFalse(const TypePtr& type) { return type && type->kind == Type::Kind::kFalse; }

Type::Kind TypeKindOf(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return Type::Kind::kBool;
    case Kind::kLong:
      return Type::Kind::kLong;
    case Kind::kDecimal:
      return Type::Kind::kDecimal;
    case Kind::kDatetime:
      return Type::Kind::kDatetime;
    case Kind::kDuration:
      return Type::Kind::kDuration;
    case Kind::kString:
      return Type::Kind::kString;
    case Kind::kIp:
      return Type::Kind::kIp;
    case Kind::kEntity:
      return Type::Kind::kEntity;
    case Kind::kSet:
      return Type::Kind::kSet;
    case Kind::kRecord:
      return Type::Kind::kRecord;
  }
  return Type::Kind::kNever;
}

std::set<std::string> EntityNames(const Type& type) {
  return type.entities.empty() ? std::set<std::string>{type.entity} : type.entities;
}

namespace {

TypePtr CommonEntity(const Type& left, const Type& right) {
  Type type;
  type.kind = Type::Kind::kEntity;
  type.entities = EntityNames(left);
  type.entities.merge(EntityNames(right));
  return std::make_shared<const Type>(std::move(type));
}

TypePtr CommonRecord(const Type& left, const Type& right, Mode mode) {
  const bool strict = mode == Mode::kStrict;
  if (strict && left.attributes.size() != right.attributes.size()) return nullptr;
  Type record;
  record.kind = Type::Kind::kRecord;
  for (const auto& [name, attribute] : left.attributes) {
    const Attribute* other = right.Find(name);
    if (strict && (other == nullptr || other->required != attribute.required)) return nullptr;
    TypePtr common = other == nullptr ? nullptr : CommonType(attribute.type, other->type, mode);
    if (common) {
      record.attributes[name] = {std::move(common), attribute.required && other->required};
    } else if (strict) {
      return nullptr;
    }
  }
  record.open = left.open || right.open || record.attributes.size() != left.attributes.size() ||
                record.attributes.size() != right.attributes.size();
  return std::make_shared<const Type>(std::move(record));
}

}  // namespace

TypePtr CommonType(const TypePtr& left, const TypePtr& right, Mode mode) {
  if (left == right || left->kind == Type::Kind::kNever) return right;
  if (right->kind == Type::Kind::kNever) return left;
  if (IsBool(*left) && IsBool(*right)) {
    return left->kind == right->kind ? left : SimpleType(Type::Kind::kBool);
  }
  if (left->kind != right->kind) return nullptr;
  switch (left->kind) {
    case Type::Kind::kEntity:
      if (EntityNames(*left) == EntityNames(*right)) return left;
      return mode == Mode::kStrict ? nullptr : CommonEntity(*left, *right);
    case Type::Kind::kSet: {
      TypePtr element = CommonType(left->element, right->element, mode);
      return element ? SetOf(std::move(element)) : nullptr;
    }
    case Type::Kind::kRecord:
      return CommonRecord(*left, *right, mode);
    default:
      return left;
  }
}

}  // namespace portcullis::policy::cedar
