#include "policy/cedar/schema.h"

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

Error Wrong(const std::string& path, const std::string& message) {
  return {Code::kValidation, path + ": " + message};
}

std::string Sub(const std::string& path, const std::string& name) {
  return path + (IsIdentifier(name) ? "." + name : "[" + Quoted(name) + "]");
}

bool Same(const TypePtr& a, const TypePtr& b) { return a == b || (a && b && *a == *b); }

std::string_view NameOf(Type::Kind kind) {
  switch (kind) {
    case Type::Kind::kNever:
      return "never";
    case Type::Kind::kTrue:
      return "true";
    case Type::Kind::kFalse:
      return "false";
    case Type::Kind::kBool:
      return "Bool";
    case Type::Kind::kLong:
      return "Long";
    case Type::Kind::kString:
      return "String";
    case Type::Kind::kDecimal:
      return "decimal";
    case Type::Kind::kIp:
      return "ipaddr";
    case Type::Kind::kDatetime:
      return "datetime";
    case Type::Kind::kDuration:
      return "duration";
    case Type::Kind::kEntity:
      return "entity";
    case Type::Kind::kSet:
      return "Set";
    case Type::Kind::kRecord:
      return "record";
  }
  return "unknown";
}

bool Matches(Kind value, Type::Kind type) {
  switch (type) {
    case Type::Kind::kTrue:
    case Type::Kind::kFalse:
    case Type::Kind::kBool:
      return value == Kind::kBool;
    case Type::Kind::kLong:
      return value == Kind::kLong;
    case Type::Kind::kString:
      return value == Kind::kString;
    case Type::Kind::kDecimal:
      return value == Kind::kDecimal;
    case Type::Kind::kIp:
      return value == Kind::kIp;
    case Type::Kind::kDatetime:
      return value == Kind::kDatetime;
    case Type::Kind::kDuration:
      return value == Kind::kDuration;
    case Type::Kind::kEntity:
      return value == Kind::kEntity;
    case Type::Kind::kSet:
      return value == Kind::kSet;
    case Type::Kind::kRecord:
      return value == Kind::kRecord;
    case Type::Kind::kNever:
      return false;
  }
  return false;
}

void Write(const Type& type, std::string& out) {
  constexpr size_t kLongEnough = 300;  // common types can unfold without end
  if (out.size() > kLongEnough) {
    out += "…";
    return;
  }
  switch (type.kind) {
    case Type::Kind::kEntity:
      out += type.entity;
      for (const std::string& name : type.entities) {
        out += (name == *type.entities.begin() ? "" : " or ") + name;
      }
      return;
    case Type::Kind::kSet:
      out += "Set<";
      Write(*type.element, out);
      out += '>';
      return;
    case Type::Kind::kRecord: {
      out += '{';
      bool first = true;
      for (const auto& [name, attribute] : type.attributes) {
        if (!std::exchange(first, false)) out += ", ";
        out += (IsIdentifier(name) ? name : Quoted(name)) + (attribute.required ? ": " : "?: ");
        Write(*attribute.type, out);
      }
      out += '}';
      return;
    }
    default:
      out += NameOf(type.kind);
  }
}

}  // namespace

bool Attribute::operator==(const Attribute& other) const {
  return required == other.required && Same(type, other.type);
}

const Attribute* Type::Find(std::string_view name) const {
  const auto found = attributes.find(std::string(name));
  return found == attributes.end() ? nullptr : &found->second;
}

bool Type::operator==(const Type& other) const {
  return kind == other.kind && entity == other.entity && entities == other.entities &&
         open == other.open && Same(element, other.element) && attributes == other.attributes;
}

std::string ToText(const Type& type) {
  std::string out;
  Write(type, out);
  return out;
}

const EntityType* Schema::FindEntityType(std::string_view name) const {
  const auto found = entities_.find(name);
  return found == entities_.end() ? nullptr : &found->second;
}

const Action* Schema::FindAction(const EntityUid& uid) const {
  const auto found = actions_.find(uid);
  return found == actions_.end() ? nullptr : &found->second;
}

bool Schema::CanBeIn(std::string_view child, std::string_view parent) const {
  if (child == parent) return true;
  const EntityType* type = FindEntityType(child);
  return type != nullptr && type->ancestors.contains(std::string(parent));
}

std::vector<Entity> Schema::ActionEntities() const {
  std::vector<Entity> entities;
  for (const auto& [uid, action] : actions_) {
    Entity entity;
    entity.uid = uid;
    entity.parents.assign(action.parents.begin(), action.parents.end());
    entities.push_back(std::move(entity));
  }
  return entities;
}

Result<void> Schema::CheckUid(const EntityUid& uid) const {
  if (FindAction(uid) != nullptr) return boost::outcome_v2::success();
  const EntityType* type = FindEntityType(uid.type);
  if (type == nullptr) {
    return Error{Code::kValidation,
                 "the schema has no entity type `" + uid.type + "` (" + ToText(uid) + ")"};
  }
  if (type->enumerated && !type->members.contains(uid.id)) {
    return Error{Code::kValidation, ToText(uid) + " is not among the listed ids of " + uid.type};
  }
  return boost::outcome_v2::success();
}

Result<void> Schema::CheckValue(const Value& value, const Type& type,
                                const std::string& path) const {
  if (!Matches(value.kind(), type.kind)) {
    return Wrong(
        path, "expected " + ToText(type) + ", found " + std::string(cedar::NameOf(value.kind())));
  }
  switch (type.kind) {
    case Type::Kind::kEntity: {
      if (value.entity().type != type.entity) {
        return Wrong(path, "expected " + type.entity + ", found " + ToText(value.entity()));
      }
      const Result<void> known = CheckUid(value.entity());
      if (!known) return Wrong(path, known.error().message);
      return boost::outcome_v2::success();
    }
    case Type::Kind::kSet:
      for (const Value& element : value.elements()) {
        BOOST_OUTCOME_TRY(CheckValue(element, *type.element, path));
      }
      return boost::outcome_v2::success();
    case Type::Kind::kRecord:
      for (const auto& [name, attribute] : type.attributes) {
        if (attribute.required && value.Find(name) == nullptr) {
          return Wrong(path, "lacks the attribute `" + name + "`");
        }
      }
      for (const Value::Field& field : value.fields()) {
        const Attribute* attribute = type.Find(field.first);
        if (attribute == nullptr) {
          return Wrong(path, "the schema has no attribute `" + field.first + "` here");
        }
        BOOST_OUTCOME_TRY(CheckValue(field.second, *attribute->type, Sub(path, field.first)));
      }
      return boost::outcome_v2::success();
    default:
      return boost::outcome_v2::success();
  }
}

Result<void> Schema::CheckEntity(const EntityUid& uid, const Entities::Stored& entity) const {
  const std::string where = ToText(uid);
  const Result<void> known = CheckUid(uid);
  if (!known) return Wrong(where, known.error().message);
  const EntityType* type = FindEntityType(uid.type);
  if (type == nullptr) return boost::outcome_v2::success();  // an action
  for (const Value& parent : entity.parents) {
    if (!type->ancestors.contains(parent.entity().type)) {
      return Wrong(where, uid.type + " cannot be a member of " + ToText(parent.entity()));
    }
    BOOST_OUTCOME_TRY(CheckUid(parent.entity()));
  }
  Type shape;
  shape.kind = Type::Kind::kRecord;
  shape.attributes = type->attributes;
  BOOST_OUTCOME_TRY(CheckValue(entity.attrs, shape, where));
  if (!entity.tags.fields().empty() && type->tags == nullptr) {
    return Wrong(where, uid.type + " has no tags");
  }
  for (const Value::Field& tag : entity.tags.fields()) {
    BOOST_OUTCOME_TRY(CheckValue(tag.second, *type->tags, where + " tag " + Quoted(tag.first)));
  }
  return boost::outcome_v2::success();
}

Result<void> Schema::CheckRequest(const Request& request) const {
  const Action* action = FindAction(request.action);
  if (action == nullptr) {
    return Wrong("request.action", "the schema has no action " + ToText(request.action));
  }
  const auto check = [&](const EntityUid& uid, const std::set<std::string>& types,
                         const std::string& path) -> Result<void> {
    const Result<void> known = CheckUid(uid);
    if (!known) return Wrong(path, known.error().message);
    if (types.contains(uid.type)) return boost::outcome_v2::success();
    return Wrong(path,
                 ToText(uid) + " is of a type that " + ToText(action->uid) + " does not apply to");
  };
  BOOST_OUTCOME_TRY(check(request.principal, action->principals, "request.principal"));
  BOOST_OUTCOME_TRY(check(request.resource, action->resources, "request.resource"));
  return CheckValue(request.context, *action->context, "request.context");
}

}  // namespace portcullis::policy::cedar
