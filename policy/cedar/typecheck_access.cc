// The part of the type checker that knows entities: membership, attributes, tags; and the parts of
// sets, records and calls. What is known to be there is kept as text keys of the expressions.
#include <algorithm>

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
  if (parent->kind == Type::Kind::kEntity && !CanBeIn(*left_type, *parent)) {
    return {Truth(false), {}};
  }
  return {SimpleType(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckIs(const Expr& expr, const Capabilities& known) {
  const TypePtr object = Expect(*expr.args[0], Type::Kind::kEntity, known);
  if (!object) return {};
  const std::set<std::string> names = EntityNames(*object);
  if (!names.contains(expr.name)) return {Truth(false), {}};
  const TypePtr is = names.size() == 1 ? Truth(true) : SimpleType(Type::Kind::kBool);
  if (expr.op == Op::kIs) return {is, {}};
  Typed in = CheckIn(expr, *expr.args[0], object, known);
  if (in.type && IsTrue(in.type)) in.type = is;
  return in;
}

TypeChecker::Typed TypeChecker::CheckSetRelation(const Expr& expr, const Capabilities& known) {
  const TypePtr left = Expect(*expr.args[0], Type::Kind::kSet, known);
  const TypePtr right = expr.op == Op::kContains ? Check(*expr.args[1], known).type
                                                 : Expect(*expr.args[1], Type::Kind::kSet, known);
  if (!left || !right) return {};
  const TypePtr wanted = expr.op == Op::kContains ? SetOf(right) : right;
  if (mode_ == Mode::kStrict && !CommonType(left, wanted, mode_)) {
    return Fail(expr, "looks for " + ToText(*right) + " in " + ToText(*left));
  }
  return {SimpleType(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckTag(const Expr& expr, const Capabilities& known) {
  const TypePtr object = Expect(*expr.args[0], Type::Kind::kEntity, known);
  const TypePtr name = Expect(*expr.args[1], Type::Kind::kString, known);
  if (!object || !name) return {};
  std::vector<TypePtr> tag_types;
  for (const std::string& entity : EntityNames(*object)) {
    const EntityType* type = schema_.FindEntityType(entity);
    if (type != nullptr && type->tags) tag_types.push_back(type->tags);
  }
  const std::string capability = TagCapability(expr);
  if (expr.op == Op::kHasTag) {
    if (tag_types.empty()) return {Truth(false), {capability}};
    if (known.contains(capability)) return {Truth(true), {capability}};
    return {SimpleType(Type::Kind::kBool), {capability}};
  }
  if (!known.contains(capability)) {
    return Fail(expr, "this tag may be missing: ask `hasTag` first");
  }
  if (tag_types.empty()) return Fail(expr, ToText(*object) + " has no tags");
  TypePtr common = tag_types[0];
  for (const TypePtr& tags : tag_types) {
    common = common ? CommonType(common, tags, mode_) : nullptr;
  }
  return common ? Typed{common, {}} : Fail(expr, "the tags of " + ToText(*object) + " differ");
}

std::optional<Attribute> TypeChecker::FindAttribute(const Type& type,
                                                    const std::string& name) const {
  if (type.kind == Type::Kind::kRecord) {
    const Attribute* found = type.Find(name);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  std::optional<Attribute> common;
  for (const std::string& entity : EntityNames(type)) {
    const EntityType* entity_type = schema_.FindEntityType(entity);
    if (entity_type == nullptr) return std::nullopt;  // an action
    const auto found = entity_type->attributes.find(name);
    if (found == entity_type->attributes.end()) return std::nullopt;
    if (!common) {
      common = found->second;
      continue;
    }
    common->type = CommonType(common->type, found->second.type, mode_);
    if (!common->type) return std::nullopt;
    common->required = common->required && found->second.required;
  }
  return common;
}

bool TypeChecker::MayHave(const Type& type, const std::string& name) const {
  if (type.kind == Type::Kind::kRecord) return type.open || type.Find(name) != nullptr;
  const std::set<std::string> names = EntityNames(type);
  return std::any_of(names.begin(), names.end(), [&](const std::string& entity) {
    const EntityType* entity_type = schema_.FindEntityType(entity);
    return entity_type != nullptr && entity_type->attributes.contains(name);
  });
}

bool TypeChecker::CanBeIn(const Type& child, const Type& parent) const {
  const std::set<std::string> parents = EntityNames(parent);
  for (const std::string& below : EntityNames(child)) {
    for (const std::string& above : parents) {
      if (schema_.CanBeIn(below, above)) return true;
    }
  }
  return std::any_of(schema_.actions().begin(), schema_.actions().end(), [&](const auto& entry) {
    const Action& action = entry.second;  // actions of one namespace may lie in those of another
    return EntityNames(child).contains(action.uid.type) &&
           std::any_of(action.ancestors.begin(), action.ancestors.end(),
                       [&](const EntityUid& above) { return parents.contains(above.type); });
  });
}

namespace {

bool HasAttributes(const Type& type) {
  return type.kind == Type::Kind::kRecord || type.kind == Type::Kind::kEntity;
}

}  // namespace

TypeChecker::Typed TypeChecker::CheckGetAttr(const Expr& expr, const Capabilities& known) {
  const Expr& object = *expr.args[0];
  const Typed typed = Check(object, known);
  if (!typed.type) return {};
  if (!HasAttributes(*typed.type)) {
    return Fail(expr, "expected a record or an entity, found " + ToText(*typed.type));
  }
  const std::optional<Attribute> found = FindAttribute(*typed.type, expr.name);
  if (!found) return Fail(expr, ToText(*typed.type) + " has no attribute `" + expr.name + "`");
  if (!found->required && !known.contains(AttributeCapability(KeyOf(object), expr.name))) {
    return Fail(expr, "attribute `" + expr.name + "` may be missing: ask `has` first");
  }
  return {found->type, {}};
}

// x has a.b is x has a && x.a has b: once a part is known to be false the rest is not looked at.
TypeChecker::Typed TypeChecker::CheckHasAttr(const Expr& expr, const Capabilities& known) {
  const Expr& object = *expr.args[0];
  TypePtr type = Check(object, known).type;
  if (!type) return {};
  std::string key = KeyOf(object);
  Capabilities found_out;
  bool certain = true;
  for (const std::string& name : expr.names) {
    if (!HasAttributes(*type)) {
      return Fail(expr, "expected a record or an entity, found " + ToText(*type));
    }
    const std::optional<Attribute> found = FindAttribute(*type, name);
    if (!found) {
      if (!MayHave(*type, name)) return {Truth(false), {}};
      if (&name != &expr.names.back()) {
        return Fail(expr, ToText(*type) + " may have no attribute `" + name + "`");
      }
      return {SimpleType(Type::Kind::kBool), std::move(found_out)};
    }
    const std::string capability = AttributeCapability(key, name);
    // An entity may be missing from the store, and its attributes with it.
    const bool sure =
        (found->required && type->kind == Type::Kind::kRecord) || known.contains(capability);
    certain = certain && sure;
    found_out.insert(capability);
    type = found->type;
    key = AccessKey(key, name);
  }
  return {certain ? Truth(true) : SimpleType(Type::Kind::kBool), std::move(found_out)};
}

TypeChecker::Typed TypeChecker::CheckSet(const Expr& expr, const Capabilities& known) {
  if (expr.args.empty() && mode_ == Mode::kStrict) {
    return Fail(expr, "an empty set has no type: use isEmpty()");
  }
  TypePtr element = expr.args.empty() ? SimpleType(Type::Kind::kNever) : nullptr;
  bool failed = false;
  for (const Expr* arg : expr.args) {
    const TypePtr next = Check(*arg, known).type;
    failed = failed || !next;
    if (failed) continue;
    const TypePtr common = element ? CommonType(element, next, mode_) : next;
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
  const bool literal = expr.args[0]->op == Op::kLiteral;
  if (IsConstructor(expr.function) && !expr.constant && (literal || mode_ == Mode::kStrict)) {
    return Fail(expr, literal ? "`" + name + "` cannot read " + expr.args[0]->literal.ToText()
                              : "`" + name + "` takes only a string in quotes");
  }
  return {SimpleType(TypeKindOf(info.result)), {}};
}

}  // namespace portcullis::policy::cedar
