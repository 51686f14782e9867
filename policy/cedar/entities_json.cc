// Entities from Cedar's JSON form; see Entities::ParseJson.
#include <set>

#include "policy/cedar/entities.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/text.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

constexpr size_t kMaxEntities = 1'000'000;

Error At(const std::string& path, std::string message, Code code = Code::kJson) {
  return {code, path + ": " + std::move(message)};
}

bool IsActionType(std::string_view type) { return type == "Action" || type.ends_with("::Action"); }

using TypeOf = std::function<const Type*(const std::string& name)>;

Result<std::vector<Value::Field>> Fields(const Json& json, const TypeOf& type_of,
                                         const std::string& path) {
  std::vector<Value::Field> fields;
  for (const auto& [name, member] : json.members) {
    const std::string sub = path + (IsIdentifier(name) ? "." + name : "[" + Quoted(name) + "]");
    BOOST_OUTCOME_TRY(Value value, ValueFromJson(member, type_of(name), sub));
    fields.emplace_back(name, std::move(value));
  }
  return fields;
}

Result<Entity> EntityFromJson(const Json& json, const Schema* schema, const std::string& path) {
  if (!json.IsObject()) return At(path, "expected an entity as an object");
  const auto member = [&](std::string_view name, Json::Kind kind) -> const Json* {
    const Json* found = json.Find(name);
    return found != nullptr && found->kind == kind ? found : nullptr;
  };
  const Json* uid = json.Find("uid");
  const Json* attrs = member("attrs", Json::Kind::kObject);
  const Json* parents = member("parents", Json::Kind::kArray);
  const Json* tags = json.Find("tags");
  if (uid == nullptr) return At(path, "expected a member \"uid\"");
  Entity entity;
  BOOST_OUTCOME_TRY(entity.uid, UidFromJson(*uid, path + ".uid"));
  const std::string where = path + " " + ToText(entity.uid);
  if (attrs == nullptr) return At(where, "expected an object \"attrs\"");
  if (parents == nullptr) return At(where, "expected an array \"parents\"");
  if (tags != nullptr && !tags->IsObject()) return At(where, "\"tags\" must be an object");

  const EntityType* type = schema == nullptr ? nullptr : schema->FindEntityType(entity.uid.type);
  const TypeOf attribute = [type](const std::string& name) -> const Type* {
    if (type == nullptr) return nullptr;
    const auto found = type->attributes.find(name);
    return found == type->attributes.end() ? nullptr : found->second.type.get();
  };
  BOOST_OUTCOME_TRY(entity.attrs, Fields(*attrs, attribute, where + " attrs"));
  if (tags != nullptr) {
    const TypeOf tag = [type](const std::string&) {
      return type == nullptr ? nullptr : type->tags.get();
    };
    BOOST_OUTCOME_TRY(entity.tags, Fields(*tags, tag, where + " tags"));
  }
  std::set<EntityUid> seen;
  for (const Json& item : parents->items) {
    BOOST_OUTCOME_TRY(EntityUid parent, UidFromJson(item, where + " parents"));
    if (IsActionType(entity.uid.type) && !IsActionType(parent.type)) {
      return At(where, "an action can only be a member of actions, not of " + ToText(parent),
                Code::kEntity);
    }
    if (seen.insert(parent).second) entity.parents.push_back(std::move(parent));
  }
  return entity;
}

}  // namespace

Result<void> Entities::Conform(const Schema& schema) const {
  for (const auto& [key, stored] : stored_) {
    if (IsActionType(key.uid.type)) continue;
    BOOST_OUTCOME_TRY(schema.CheckEntity(key.uid, stored));
  }
  return boost::outcome_v2::success();
}

// Actions come from the schema. The document may repeat them, but then exactly as they are: what
// lies above an action by the document must be what lies above it by the schema.
Result<void> Entities::TakeActions(const Schema& schema) {
  for (const auto& [key, stored] : stored_) {
    if (!IsActionType(key.uid.type)) continue;
    const Action* action = schema.FindAction(key.uid);
    if (action == nullptr) {
      return Error{Code::kValidation, "the schema has no action " + ToText(key.uid)};
    }
    std::set<EntityUid> above;
    for (const Value& ancestor : stored.ancestors) above.insert(ancestor.entity());
    if (above != action->ancestors || !stored.attrs.fields().empty() ||
        !stored.tags.fields().empty()) {
      return Error{Code::kValidation,
                   ToText(key.uid) + " is not as the schema declares it; leave actions out"};
    }
  }
  for (Entity& action : schema.ActionEntities()) Add(std::move(action));
  return Close();
}

Result<Entities> Entities::ParseJson(std::string_view json, const Schema* schema,
                                     std::string_view file_name) {
  BOOST_OUTCOME_TRY(const Json document, cedar::ParseJson(json, file_name));
  return FromJson(document, schema, file_name);
}

Result<Entities> Entities::FromJson(const Json& document, const Schema* schema,
                                    std::string_view file_name) {
  const std::string file(file_name);
  if (!document.IsArray()) return At(file, "expected an array of entities");
  if (document.items.size() > kMaxEntities) {
    return At(file, "more than " + std::to_string(kMaxEntities) + " entities", Code::kTooLarge);
  }
  Entities entities;
  entities.stored_.reserve(document.items.size());
  for (size_t i = 0; i < document.items.size(); ++i) {
    BOOST_OUTCOME_TRY(Entity entity, EntityFromJson(document.items[i], schema,
                                                    file + "[" + std::to_string(i) + "]"));
    Entities single;
    single.Add(std::move(entity));
    BOOST_OUTCOME_TRY(entities.Merge(single));
  }
  if (schema != nullptr) {
    BOOST_OUTCOME_TRY(entities.Conform(*schema));
  }
  BOOST_OUTCOME_TRY(entities.Close());
  if (schema != nullptr) {
    BOOST_OUTCOME_TRY(entities.TakeActions(*schema));
  }
  return entities;
}

}  // namespace portcullis::policy::cedar
