#include "policy/cedar/typecheck.h"

#include <algorithm>

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

TypePtr Simple(Type::Kind kind) {
  Type type;
  type.kind = kind;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr EntityOf(const std::string& name) {
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

TypePtr Truth(bool value) { return Simple(value ? Type::Kind::kTrue : Type::Kind::kFalse); }

bool IsBool(const Type& type) {
  return type.kind == Type::Kind::kBool || type.kind == Type::Kind::kTrue ||
         type.kind == Type::Kind::kFalse;
}
bool IsTrue(const TypePtr& type) { return type && type->kind == Type::Kind::kTrue; }
bool IsFalse(const TypePtr& type) { return type && type->kind == Type::Kind::kFalse; }

Type::Kind TypeKindOf(Kind kind) {
  switch (kind) {
    case Kind::kBool: return Type::Kind::kBool;
    case Kind::kLong: return Type::Kind::kLong;
    case Kind::kDecimal: return Type::Kind::kDecimal;
    case Kind::kDatetime: return Type::Kind::kDatetime;
    case Kind::kDuration: return Type::Kind::kDuration;
    case Kind::kString: return Type::Kind::kString;
    case Kind::kIp: return Type::Kind::kIp;
    case Kind::kEntity: return Type::Kind::kEntity;
    case Kind::kSet: return Type::Kind::kSet;
    case Kind::kRecord: return Type::Kind::kRecord;
  }
  return Type::Kind::kNever;
}

// Two expressions with the same key have the same value in the same request.
std::string KeyOf(const Expr& expr) {
  if (expr.op == Op::kVar) return std::string(NameOf(expr.var));
  if (expr.constant) return expr.literal.ToText();
  std::string key = "(" + std::to_string(static_cast<int>(expr.op)) + " " +
                    std::to_string(static_cast<int>(expr.function)) + " " + Quoted(expr.name);
  for (const std::string& name : expr.names) key += " " + Quoted(name);
  for (const std::string& piece : expr.pattern.pieces) key += " *" + Quoted(piece);
  for (const Expr* arg : expr.args) key += " " + KeyOf(*arg);
  return key + ")";
}

// The key of `object.name`, whether written as an access or as part of a `has` path.
std::string AccessKey(const std::string& object, const std::string& name) {
  return "(" + std::to_string(static_cast<int>(Op::kGetAttr)) + " 0 " + Quoted(name) +
         " *\"\" " + object + ")";
}
std::string AttributeCapability(const std::string& object, const std::string& name) {
  return "attr " + Quoted(name) + " of " + object;
}
std::string TagCapability(const Expr& expr) {
  return "tag " + KeyOf(*expr.args[1]) + " of " + KeyOf(*expr.args[0]);
}

Capabilities Union(const Capabilities& a, const Capabilities& b) {
  Capabilities both = a;
  both.insert(b.begin(), b.end());
  return both;
}
Capabilities Intersection(const Capabilities& a, const Capabilities& b) {
  Capabilities both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

}  // namespace

TypePtr CommonType(const TypePtr& left, const TypePtr& right) {
  if (left == right || left->kind == Type::Kind::kNever) return right;
  if (right->kind == Type::Kind::kNever) return left;
  if (IsBool(*left) && IsBool(*right)) {
    return left->kind == right->kind ? left : Simple(Type::Kind::kBool);
  }
  if (left->kind != right->kind || left->entity != right->entity) return nullptr;
  if (left->kind == Type::Kind::kSet) {
    TypePtr element = CommonType(left->element, right->element);
    return element ? SetOf(std::move(element)) : nullptr;
  }
  if (left->kind != Type::Kind::kRecord) return left;
  if (left->attributes.size() != right->attributes.size()) return nullptr;
  Type record;
  record.kind = Type::Kind::kRecord;
  for (const auto& [name, attribute] : left->attributes) {
    const Attribute* other = right->Find(name);
    if (other == nullptr || other->required != attribute.required) return nullptr;
    TypePtr common = CommonType(attribute.type, other->type);
    if (!common) return nullptr;
    record.attributes[name] = {std::move(common), attribute.required};
  }
  return std::make_shared<const Type>(std::move(record));
}

TypeChecker::Typed TypeChecker::Fail(const Expr& expr, std::string message) {
  report_(expr.offset, std::move(message));
  return {};
}

TypePtr TypeChecker::Expect(const Expr& expr, Type::Kind kind, const Capabilities& known) {
  const Typed typed = Check(expr, known);
  if (!typed.type || typed.type->kind == kind) return typed.type;
  if (kind == Type::Kind::kBool && IsBool(*typed.type)) return typed.type;
  Type expected;
  expected.kind = kind;
  const std::string name = kind == Type::Kind::kSet ? "a set"
                           : kind == Type::Kind::kEntity ? "an entity"
                                                         : ToText(expected);
  return Fail(expr, "expected " + name + ", found " + ToText(*typed.type)).type;
}

bool TypeChecker::ExpectAll(const Expr& expr, Type::Kind kind, const Capabilities& known) {
  bool good = true;
  for (const Expr* arg : expr.args) good = Expect(*arg, kind, known) != nullptr && good;
  return good;
}

TypeChecker::Typed TypeChecker::CheckBool(const Expr& expr, const Capabilities& known) {
  Typed typed = Check(expr, known);
  if (typed.type && !IsBool(*typed.type)) {
    return Fail(expr, "expected Bool, found " + ToText(*typed.type));
  }
  return typed;
}

TypeChecker::Typed TypeChecker::Check(const Expr& expr, const Capabilities& known) {
  switch (expr.op) {
    case Op::kLiteral: return CheckLiteral(expr);
    case Op::kVar: return CheckVar(expr);
    case Op::kAnd: return CheckAnd(expr, known);
    case Op::kOr: return CheckOr(expr, known);
    case Op::kNot: {
      const Typed arg = CheckBool(*expr.args[0], known);
      if (IsTrue(arg.type) || IsFalse(arg.type)) return {Truth(IsFalse(arg.type)), {}};
      return {arg.type, {}};
    }
    case Op::kIf: return CheckIf(expr, known);
    case Op::kEqual:
    case Op::kNotEqual: return CheckEqual(expr, known);
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual: return CheckOrder(expr, known);
    case Op::kIn: {
      const TypePtr left = Expect(*expr.args[0], Type::Kind::kEntity, known);
      return CheckIn(expr, *expr.args[0], left, known);
    }
    case Op::kNegate:
    case Op::kSum:
    case Op::kProduct:
      return {ExpectAll(expr, Type::Kind::kLong, known) ? Simple(Type::Kind::kLong) : nullptr, {}};
    case Op::kContains:
    case Op::kContainsAll:
    case Op::kContainsAny: return CheckSetRelation(expr, known);
    case Op::kIsEmpty:
      return {ExpectAll(expr, Type::Kind::kSet, known) ? Simple(Type::Kind::kBool) : nullptr, {}};
    case Op::kGetTag:
    case Op::kHasTag: return CheckTag(expr, known);
    case Op::kGetAttr: return CheckGetAttr(expr, known);
    case Op::kHasAttr: return CheckHasAttr(expr, known);
    case Op::kLike:
      return {ExpectAll(expr, Type::Kind::kString, known) ? Simple(Type::Kind::kBool) : nullptr,
              {}};
    case Op::kIs:
    case Op::kIsIn: return CheckIs(expr, known);
    case Op::kSet: return CheckSet(expr, known);
    case Op::kRecord: return CheckRecord(expr, known);
    case Op::kCall: return CheckCall(expr, known);
  }
  return Fail(expr, "unknown expression");
}

TypeChecker::Typed TypeChecker::CheckLiteral(const Expr& expr) {
  const Value& value = expr.literal;
  if (value.kind() == Kind::kBool) return {Truth(value.bool_value()), {}};
  if (value.kind() != Kind::kEntity) return {Simple(TypeKindOf(value.kind())), {}};
  const std::string& type = value.entity().type;
  const bool known =
      schema_.FindEntityType(type) != nullptr || schema_.FindAction(value.entity()) != nullptr;
  return {known ? EntityOf(type) : nullptr, {}};  // Validate has already named an unknown one
}

TypeChecker::Typed TypeChecker::CheckVar(const Expr& expr) const {
  switch (expr.var) {
    case Var::kPrincipal: return {EntityOf(environment_.principal), {}};
    case Var::kAction: return {EntityOf(environment_.action->uid.type), {}};
    case Var::kResource: return {EntityOf(environment_.resource), {}};
    case Var::kContext: return {environment_.action->context, {}};
  }
  return {};
}

TypeChecker::Typed TypeChecker::CheckAnd(const Expr& expr, const Capabilities& known) {
  Typed result = CheckBool(*expr.args[0], known);
  bool failed = !result.type;
  for (size_t i = 1; i < expr.args.size(); ++i) {
    if (!failed && IsFalse(result.type)) return {result.type, {}};
    const Typed next = CheckBool(*expr.args[i], Union(known, result.known));
    result.known = Union(result.known, next.known);
    failed = failed || !next.type;
    if (failed) continue;
    if (IsFalse(next.type) || IsTrue(result.type)) {
      result.type = next.type;
    } else {
      result.type = Simple(Type::Kind::kBool);
    }
  }
  if (failed) result.type = nullptr;
  return result;
}

TypeChecker::Typed TypeChecker::CheckOr(const Expr& expr, const Capabilities& known) {
  Typed result = CheckBool(*expr.args[0], known);
  bool failed = !result.type;
  for (size_t i = 1; i < expr.args.size(); ++i) {
    if (!failed && IsTrue(result.type)) return result;
    const Typed next = CheckBool(*expr.args[i], known);
    failed = failed || !next.type;
    if (failed) continue;
    if (IsFalse(result.type)) {
      result = next;
    } else if (IsTrue(next.type)) {
      result = next;
    } else if (!IsFalse(next.type)) {
      result = {Simple(Type::Kind::kBool), Intersection(result.known, next.known)};
    }
  }
  if (failed) result.type = nullptr;
  return result;
}

TypeChecker::Typed TypeChecker::CheckIf(const Expr& expr, const Capabilities& known) {
  const Typed guard = CheckBool(*expr.args[0], known);
  if (IsFalse(guard.type)) return Check(*expr.args[2], known);
  Typed yes = Check(*expr.args[1], Union(known, guard.known));
  yes.known = Union(yes.known, guard.known);
  if (IsTrue(guard.type)) return yes;
  const Typed no = Check(*expr.args[2], known);
  if (!guard.type || !yes.type || !no.type) return {};
  const TypePtr common = CommonType(yes.type, no.type);
  if (!common) {
    return Fail(expr, "`then` is of type " + ToText(*yes.type) + " and `else` of type " +
                          ToText(*no.type));
  }
  return {common, Intersection(yes.known, no.known)};
}

TypeChecker::Typed TypeChecker::CheckEqual(const Expr& expr, const Capabilities& known) {
  const Expr& left = *expr.args[0];
  const Expr& right = *expr.args[1];
  const Typed left_typed = Check(left, known);
  const Typed right_typed = Check(right, known);
  if (!left_typed.type || !right_typed.type) return {};
  const bool equal = expr.op == Op::kEqual;
  const auto literal = [this](const Expr& side) -> std::optional<Value> {
    if (side.op == Op::kLiteral) return side.literal;
    if (const EntityUid* action = ActionLiteral(side)) return Value::Entity(*action);
    return std::nullopt;
  };
  if (const auto a = literal(left), b = literal(right); a && b) {
    return {Truth((*a == *b) == equal), {}};
  }
  const Type& a = *left_typed.type;
  const Type& b = *right_typed.type;
  if (a.kind == Type::Kind::kEntity && b.kind == Type::Kind::kEntity && a.entity != b.entity) {
    return {Truth(!equal), {}};
  }
  if (!CommonType(left_typed.type, right_typed.type)) {
    return Fail(expr, "compares " + ToText(a) + " with " + ToText(b) + ", which are never equal");
  }
  return {Simple(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckOrder(const Expr& expr, const Capabilities& known) {
  const TypePtr left = Check(*expr.args[0], known).type;
  const TypePtr right = Check(*expr.args[1], known).type;
  if (!left || !right) return {};
  if (left->kind != Type::Kind::kLong && left->kind != Type::Kind::kDatetime &&
      left->kind != Type::Kind::kDuration) {
    return Fail(expr, "only Long, datetime and duration have an order, not " + ToText(*left));
  }
  if (right->kind != left->kind) {
    return Fail(expr, "compares " + ToText(*left) + " with " + ToText(*right));
  }
  return {Simple(Type::Kind::kBool), {}};
}

const EntityUid* TypeChecker::ActionLiteral(const Expr& expr) const {
  if (expr.op == Op::kVar && expr.var == Var::kAction) return &environment_.action->uid;
  if (expr.op != Op::kLiteral || expr.literal.kind() != Kind::kEntity) return nullptr;
  const Action* action = schema_.FindAction(expr.literal.entity());
  return action == nullptr ? nullptr : &action->uid;
}

// Whether an action lies in actions that are written out; nullopt when that is not the question.
std::optional<bool> TypeChecker::InActions(const Expr& left, const Expr& right) const {
  const EntityUid* child = ActionLiteral(left);
  if (child == nullptr) return std::nullopt;
  const std::set<EntityUid>& above = schema_.FindAction(*child)->ancestors;
  const auto in = [&](const Expr& parent) -> std::optional<bool> {
    if (parent.op != Op::kLiteral || ActionLiteral(parent) == nullptr) return std::nullopt;
    const EntityUid& uid = parent.literal.entity();
    return uid == *child || above.contains(uid);
  };
  if (right.op != Op::kSet) return in(right);
  bool any = false;
  for (const Expr* element : right.args) {
    const std::optional<bool> one = in(*element);
    if (!one) return std::nullopt;
    any = any || *one;
  }
  return any;
}

TypeChecker::Typed TypeChecker::CheckIn(const Expr& expr, const Expr& left,
                                        const TypePtr& left_type, const Capabilities& known) {
  const Expr& right = *expr.args[1];
  const TypePtr right_type = Check(right, known).type;
  if (!left_type || !right_type) return {};
  const bool set = right_type->kind == Type::Kind::kSet;
  const TypePtr& parent = set ? right_type->element : right_type;
  if (parent->kind != Type::Kind::kEntity && parent->kind != Type::Kind::kNever) {
    return Fail(right, "expected an entity or a set of entities, found " + ToText(*right_type));
  }
  if (const std::optional<bool> answer = InActions(left, right)) return {Truth(*answer), {}};
  const bool actions = schema_.FindEntityType(left_type->entity) == nullptr &&
                       schema_.FindEntityType(parent->entity) == nullptr;
  if (!actions && !schema_.CanBeIn(left_type->entity, parent->entity)) return {Truth(false), {}};
  return {Simple(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckIs(const Expr& expr, const Capabilities& known) {
  const TypePtr object = Expect(*expr.args[0], Type::Kind::kEntity, known);
  if (!object) return {};
  const bool same = object->entity == expr.name;
  if (!same || expr.op == Op::kIs) return {Truth(same), {}};
  return CheckIn(expr, *expr.args[0], object, known);
}

TypeChecker::Typed TypeChecker::CheckSetRelation(const Expr& expr, const Capabilities& known) {
  const TypePtr left = Expect(*expr.args[0], Type::Kind::kSet, known);
  const TypePtr right = expr.op == Op::kContains ? Check(*expr.args[1], known).type
                                                 : Expect(*expr.args[1], Type::Kind::kSet, known);
  if (!left || !right) return {};
  const TypePtr wanted = expr.op == Op::kContains ? SetOf(right) : right;
  if (!CommonType(left, wanted)) {
    return Fail(expr, "looks for " + ToText(*right) + " in " + ToText(*left));
  }
  return {Simple(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckTag(const Expr& expr, const Capabilities& known) {
  const TypePtr object = Expect(*expr.args[0], Type::Kind::kEntity, known);
  const TypePtr name = Expect(*expr.args[1], Type::Kind::kString, known);
  if (!object || !name) return {};
  const EntityType* type = schema_.FindEntityType(object->entity);
  const TypePtr tags = type == nullptr ? nullptr : type->tags;
  const std::string capability = TagCapability(expr);
  if (expr.op == Op::kHasTag) {
    if (!tags) return {Truth(false), {}};
    if (known.contains(capability)) return {Truth(true), {capability}};
    return {Simple(Type::Kind::kBool), {capability}};
  }
  if (!known.contains(capability)) {
    return Fail(expr, "this tag may be missing: ask `hasTag` first");
  }
  if (!tags) return Fail(expr, object->entity + " has no tags");
  return {tags, {}};
}

const Attributes* TypeChecker::AttributesOf(const Type& type) const {
  static const Attributes kNone;
  if (type.kind == Type::Kind::kRecord) return &type.attributes;
  if (type.kind != Type::Kind::kEntity) return nullptr;
  const EntityType* entity = schema_.FindEntityType(type.entity);
  return entity == nullptr ? &kNone : &entity->attributes;
}

TypeChecker::Typed TypeChecker::CheckGetAttr(const Expr& expr, const Capabilities& known) {
  const Expr& object = *expr.args[0];
  const Typed typed = Check(object, known);
  if (!typed.type) return {};
  const Attributes* attributes = AttributesOf(*typed.type);
  if (attributes == nullptr) {
    return Fail(expr, "expected a record or an entity, found " + ToText(*typed.type));
  }
  const auto found = attributes->find(expr.name);
  if (found == attributes->end()) {
    return Fail(expr, ToText(*typed.type) + " has no attribute `" + expr.name + "`");
  }
  if (!found->second.required &&
      !known.contains(AttributeCapability(KeyOf(object), expr.name))) {
    return Fail(expr, "attribute `" + expr.name + "` may be missing: ask `has` first");
  }
  return {found->second.type, {}};
}

TypeChecker::Typed TypeChecker::CheckHasAttr(const Expr& expr, const Capabilities& known) {
  const Expr& object = *expr.args[0];
  TypePtr type = Check(object, known).type;
  if (!type) return {};
  std::string key = KeyOf(object);
  Capabilities found_out;
  bool certain = true;
  for (const std::string& name : expr.names) {
    const Attributes* attributes = AttributesOf(*type);
    if (attributes == nullptr) {
      return Fail(expr, "expected a record or an entity, found " + ToText(*type));
    }
    const auto found = attributes->find(name);
    if (found == attributes->end()) return {Truth(false), {}};
    const std::string capability = AttributeCapability(key, name);
    // An entity may be missing from the store, and its attributes with it.
    const bool sure = (found->second.required && type->kind == Type::Kind::kRecord) ||
                      known.contains(capability);
    certain = certain && sure;
    found_out.insert(capability);
    type = found->second.type;
    key = AccessKey(key, name);
  }
  return {certain ? Truth(true) : Simple(Type::Kind::kBool), std::move(found_out)};
}

TypeChecker::Typed TypeChecker::CheckSet(const Expr& expr, const Capabilities& known) {
  if (expr.args.empty()) return Fail(expr, "an empty set has no type: use isEmpty()");
  TypePtr element;
  bool failed = false;
  for (const Expr* arg : expr.args) {
    const TypePtr next = Check(*arg, known).type;
    failed = failed || !next;
    if (failed) continue;
    const TypePtr common = element ? CommonType(element, next) : next;
    if (!common) {
      return Fail(*arg, "the set holds " + ToText(*element) + " and " + ToText(*next));
    }
    element = common;
  }
  return {failed ? nullptr : SetOf(element), {}};
}

TypeChecker::Typed TypeChecker::CheckRecord(const Expr& expr, const Capabilities& known) {
  Type record;
  record.kind = Type::Kind::kRecord;
  bool failed = false;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    TypePtr type = Check(*expr.args[i], known).type;
    failed = failed || !type;
    record.attributes[expr.names[i]] = {std::move(type), true};
  }
  return {failed ? nullptr : std::make_shared<const Type>(std::move(record)), {}};
}

TypeChecker::Typed TypeChecker::CheckCall(const Expr& expr, const Capabilities& known) {
  const FunctionInfo& info = InfoOf(expr.function);
  const std::string name(info.name);
  if (expr.args.size() != info.arity) {
    return Fail(expr, "`" + name + "` takes " + std::to_string(info.arity) + " arguments, got " +
                          std::to_string(expr.args.size()));
  }
  bool good = true;
  for (size_t i = 0; i < info.arity; ++i) {
    good = Expect(*expr.args[i], TypeKindOf(info.arguments[i]), known) != nullptr && good;
  }
  if (!good) return {};
  if (IsConstructor(expr.function) && !expr.constant) {
    return Fail(expr, expr.args[0]->op == Op::kLiteral
                          ? "`" + name + "` cannot read " + expr.args[0]->literal.ToText()
                          : "`" + name + "` takes only a string in quotes");
  }
  return {Simple(TypeKindOf(info.result)), {}};
}

}  // namespace portcullis::policy::cedar
