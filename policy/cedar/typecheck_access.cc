// The part of the type checker that knows entities: membership, attributes, tags; and the parts of
// sets, records and calls. What is known to be there is kept as text keys of the expressions.
#include "policy/cedar/text.h"
#include "policy/cedar/typecheck.h"
#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {
namespace {

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
  return "(" + std::to_string(static_cast<int>(Op::kGetAttr)) + " 0 " + Quoted(name) + " *\"\" " +
         object + ")";
}
std::string AttributeCapability(const std::string& object, const std::string& name) {
  return "attr " + Quoted(name) + " of " + object;
}
std::string TagCapability(const Expr& expr) {
  return "tag " + KeyOf(*expr.args[1]) + " of " + KeyOf(*expr.args[0]);
}

}  // namespace

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
    if (const EntityUid* uid = ActionLiteral(parent)) return *uid == *child || above.contains(*uid);
    const bool entity = parent.op == Op::kLiteral && parent.literal.kind() == Kind::kEntity;
    return entity ? std::optional(false) : std::nullopt;  // an action lies in actions only
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
  return {SimpleType(Type::Kind::kBool), {}};
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
  return {SimpleType(Type::Kind::kBool), {}};
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
    return {SimpleType(Type::Kind::kBool), {capability}};
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
  if (!found->second.required && !known.contains(AttributeCapability(KeyOf(object), expr.name))) {
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
    const bool sure =
        (found->second.required && type->kind == Type::Kind::kRecord) || known.contains(capability);
    certain = certain && sure;
    found_out.insert(capability);
    type = found->second.type;
    key = AccessKey(key, name);
  }
  return {certain ? Truth(true) : SimpleType(Type::Kind::kBool), std::move(found_out)};
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
  return {SimpleType(TypeKindOf(info.result)), {}};
}

}  // namespace portcullis::policy::cedar
