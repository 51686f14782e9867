#include "policy/cedar/schema_json.h"

#include <algorithm>
#include <initializer_list>

#include "policy/cedar/schema_build.h"
#include "policy/cedar/text.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

using Form = WrittenType::Form;

Error At(const std::string& path, std::string message) {
  return {Code::kSchema, path + ": " + std::move(message)};
}

// A::B, where the built-in namespace may come first.
bool IsReference(std::string_view text) {
  if (text.starts_with("__cedar::")) text.remove_prefix(9);
  return IsTypeName(text);
}

class Reader {
 public:
  explicit Reader(std::vector<std::string>& places) : places_(places) {}

  Result<WrittenNamespace> Namespace(const Json& json, const std::string& name,
                                     const std::string& path) {
    BOOST_OUTCOME_TRY(
        Members(json, {"commonTypes", "entityTypes", "actions", "annotations"}, path));
    WrittenNamespace space;
    space.name = Place(name, path);
    if (!name.empty() && !IsTypeName(name)) return At(path, "this cannot name a namespace");
    BOOST_OUTCOME_TRY(space.annotations, Annotations(json, path));
    if (name.empty() && !space.annotations.empty()) {
      return At(path, "only a namespace with a name takes annotations");
    }
    if (const Json* types = json.Find("commonTypes")) {
      BOOST_OUTCOME_TRY(Each(*types, path + ".commonTypes",
                             [&](const JsonMember& member, const std::string& where) {
                               return CommonType(member, where, space);
                             }));
    }
    for (const char* required : {"entityTypes", "actions"}) {
      if (json.Find(required) == nullptr) {
        return At(path, "lacks the member " + Quoted(required));
      }
    }
    BOOST_OUTCOME_TRY(Each(*json.Find("entityTypes"), path + ".entityTypes",
                           [&](const JsonMember& member, const std::string& where) {
                             return Entity(member, where, space);
                           }));
    BOOST_OUTCOME_TRY(Each(*json.Find("actions"), path + ".actions",
                           [&](const JsonMember& member, const std::string& where) {
                             return Action(member, where, space);
                           }));
    return space;
  }

 private:
  WrittenPath Place(std::string name, const std::string& path) {
    places_.push_back(path);
    return {std::move(name), places_.size() - 1};
  }

  static Result<void> Members(const Json& json, std::initializer_list<std::string_view> known,
                              const std::string& path) {
    // Cedar takes an empty list for an object without members, too.
    if (!json.IsObject() && !(json.IsArray() && json.items.empty())) {
      return At(path, "expected an object");
    }
    for (const JsonMember& member : json.members) {
      if (std::find(known.begin(), known.end(), member.name) == known.end()) {
        return At(path, "unexpected member " + Quoted(member.name));
      }
    }
    return boost::outcome_v2::success();
  }

  template <class Visit>
  static Result<void> Each(const Json& json, const std::string& path, Visit&& visit) {
    if (!json.IsObject()) return At(path, "expected an object");
    for (const JsonMember& member : json.members) {
      BOOST_OUTCOME_TRY(visit(member, path + "." + member.name));
    }
    return boost::outcome_v2::success();
  }

  static Result<WrittenAnnotations> Annotations(const Json& json, const std::string& path) {
    WrittenAnnotations annotations;
    const Json* list = json.Find("annotations");
    if (list == nullptr) return annotations;
    if (!list->IsObject()) return At(path + ".annotations", "expected an object");
    for (const JsonMember& member : list->members) {
      const bool bare = member.value.kind == Json::Kind::kNull;
      if ((!bare && !member.value.IsString()) ||
          (!IsIdentifier(member.name) && !IsReserved(member.name))) {
        return At(path + ".annotations." + member.name, "expected a name with a string");
      }
      annotations.emplace(member.name, member.value.string);
    }
    return annotations;
  }

  Result<void> CommonType(const JsonMember& member, const std::string& path,
                          WrittenNamespace& out) {
    if (!IsIdentifier(member.name) || IsReservedTypeName(member.name)) {
      return At(path, "this cannot name a common type");
    }
    WrittenCommonType common;
    common.name = Place(member.name, path);
    BOOST_OUTCOME_TRY(common.annotations, Annotations(member.value, path));
    BOOST_OUTCOME_TRY(common.type, TypeFrom(member.value, path, "annotations"));
    out.types.push_back(std::move(common));
    return boost::outcome_v2::success();
  }

  Result<void> Entity(const JsonMember& member, const std::string& path, WrittenNamespace& out) {
    const Json& json = member.value;
    if (!IsIdentifier(member.name)) return At(path, "this cannot name an entity type");
    BOOST_OUTCOME_TRY(
        Members(json, {"memberOfTypes", "shape", "tags", "enum", "annotations"}, path));
    WrittenEntity entity;
    entity.name = Place(member.name, path);
    BOOST_OUTCOME_TRY(entity.annotations, Annotations(json, path));
    if (const Json* choices = json.Find("enum")) {
      if (json.members.size() > (json.Find("annotations") != nullptr ? 2u : 1u)) {
        return At(path, "an enumerated type has only its \"enum\"");
      }
      BOOST_OUTCOME_TRY(entity.members, Strings(*choices, path + ".enum"));
      if (entity.members.empty()) return At(path + ".enum", "expected at least one id");
    }
    if (const Json* parents = json.Find("memberOfTypes")) {
      BOOST_OUTCOME_TRY(entity.parents, References(*parents, path + ".memberOfTypes"));
    }
    if (const Json* shape = json.Find("shape")) {
      BOOST_OUTCOME_TRY(entity.shape, TypeFrom(*shape, path + ".shape"));
    }
    if (const Json* tags = json.Find("tags")) {
      BOOST_OUTCOME_TRY(entity.tags, TypeFrom(*tags, path + ".tags"));
    }
    out.entities.push_back(std::move(entity));
    return boost::outcome_v2::success();
  }

  Result<void> Action(const JsonMember& member, const std::string& path, WrittenNamespace& out) {
    const Json& json = member.value;
    BOOST_OUTCOME_TRY(Members(json, {"attributes", "appliesTo", "memberOf", "annotations"}, path));
    WrittenAction action;
    action.name = Place(member.name, path);
    BOOST_OUTCOME_TRY(action.annotations, Annotations(json, path));
    const auto given = [&](const char* name) -> const Json* {
      const Json* found = json.Find(name);
      return found == nullptr || found->kind == Json::Kind::kNull ? nullptr : found;
    };
    if (const Json* attributes = given("attributes")) {
      if (!attributes->IsObject() || !attributes->members.empty()) {
        return At(path + ".attributes", "actions have no attributes in Cedar");
      }
    }
    if (const Json* parents = given("memberOf")) {
      if (!parents->IsArray()) return At(path + ".memberOf", "expected a list");
      for (const Json& item : parents->items) {
        BOOST_OUTCOME_TRY(WrittenAction::Parent parent, ActionParent(item, path + ".memberOf"));
        action.parents.push_back(std::move(parent));
      }
    }
    if (const Json* applies = given("appliesTo")) {
      const std::string where = path + ".appliesTo";
      BOOST_OUTCOME_TRY(Members(*applies, {"principalTypes", "resourceTypes", "context"}, where));
      const Json* principals = applies->Find("principalTypes");
      const Json* resources = applies->Find("resourceTypes");
      if (principals == nullptr || resources == nullptr) {
        return At(where, "expected \"principalTypes\" and \"resourceTypes\"");
      }
      BOOST_OUTCOME_TRY(action.principals, References(*principals, where + ".principalTypes"));
      BOOST_OUTCOME_TRY(action.resources, References(*resources, where + ".resourceTypes"));
      if (const Json* context = applies->Find("context")) {
        BOOST_OUTCOME_TRY(action.context, TypeFrom(*context, where + ".context"));
      }
    }
    out.actions.push_back(std::move(action));
    return boost::outcome_v2::success();
  }

  Result<WrittenAction::Parent> ActionParent(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"id", "type"}, path));
    const Json* id = json.Find("id");
    const Json* type = json.Find("type");
    if (id == nullptr || !id->IsString()) return At(path, "expected \"id\" as a string");
    WrittenAction::Parent parent{Place("", path), id->string};
    if (type != nullptr && type->kind != Json::Kind::kNull) {
      if (!type->IsString() || !IsReference(type->string)) {
        return At(path + ".type", "expected the type of an action");
      }
      parent.type.path = type->string;
    }
    return parent;
  }

  static Result<std::vector<std::string>> Strings(const Json& json, const std::string& path) {
    if (!json.IsArray()) return At(path, "expected a list");
    std::vector<std::string> out;
    for (const Json& item : json.items) {
      if (!item.IsString()) return At(path, "expected strings");
      out.push_back(item.string);
    }
    return out;
  }

  Result<std::vector<WrittenPath>> References(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(const std::vector<std::string> names, Strings(json, path));
    std::vector<WrittenPath> out;
    for (const std::string& name : names) {
      if (!IsReference(name)) return At(path, Quoted(name) + " is no name of a type");
      out.push_back(Place(name, path));
    }
    return out;
  }

  // `beside` and `too` are members of the object that are not the type's.
  Result<WrittenType> TypeFrom(const Json& json, const std::string& path,
                               std::string_view beside = {}, std::string_view too = {}) {
    const Json* name = json.Find("type");
    if (name == nullptr || !name->IsString()) return At(path, "expected \"type\" as a string");
    const auto only = [&](std::string_view a, std::string_view b = {}) -> Result<void> {
      for (const JsonMember& member : json.members) {
        const std::string& key = member.name;
        if (key != "type" && key != a && key != b && (key != beside || beside.empty()) &&
            (key != too || too.empty())) {
          return At(path, "unexpected member " + Quoted(key));
        }
      }
      return boost::outcome_v2::success();
    };
    WrittenType type;
    if (name->string == "Set") {
      BOOST_OUTCOME_TRY(only("element"));
      const Json* element = json.Find("element");
      if (element == nullptr) return At(path, "lacks the member \"element\"");
      type.form = Form::kSet;
      BOOST_OUTCOME_TRY(WrittenType inner, TypeFrom(*element, path + ".element"));
      type.element.push_back(std::move(inner));
      return type;
    }
    if (name->string == "Record") {
      BOOST_OUTCOME_TRY(only("attributes", "additionalAttributes"));
      const Json* open = json.Find("additionalAttributes");
      if (open != nullptr && (open->kind != Json::Kind::kBool || open->boolean)) {
        return At(path + ".additionalAttributes",
                  "records with further attributes are no part of "
                  "Cedar: expected false");
      }
      const Json* attributes = json.Find("attributes");
      if (attributes == nullptr) return At(path, "lacks the member \"attributes\"");
      type.form = Form::kRecord;
      BOOST_OUTCOME_TRY(Each(*attributes, path + ".attributes",
                             [&](const JsonMember& member, const std::string& where) {
                               return Attribute(member, where, type.attributes);
                             }));
      return type;
    }
    const bool named =
        name->string == "Entity" || name->string == "EntityOrCommon" || name->string == "Extension";
    BOOST_OUTCOME_TRY(only(named ? "name" : ""));
    std::string reference = name->string;
    if (named) {
      const Json* target = json.Find("name");
      if (target == nullptr || !target->IsString()) {
        return At(path, "expected \"name\" as a string");
      }
      reference = target->string;
    }
    if (!IsReference(reference)) return At(path, Quoted(reference) + " is no name of a type");
    type.form = name->string == "Entity"           ? Form::kEntity
                : name->string == "EntityOrCommon" ? Form::kPath
                                                   : Form::kCommon;
    const bool primitive = reference == "String" || reference == "Long" || reference == "Boolean";
    if (name->string == "Extension" || (!named && primitive)) {
      type.form = Form::kBuiltIn;
      if (reference == "Boolean") reference = "Bool";
      const bool extension = reference == "ipaddr" || reference == "decimal" ||
                             reference == "datetime" || reference == "duration";
      if (named && !extension) return At(path, "there is no extension type " + Quoted(reference));
    }
    type.path = Place(std::move(reference), path);
    return type;
  }

  Result<void> Attribute(const JsonMember& member, const std::string& path,
                         std::vector<WrittenAttribute>& out) {
    WrittenAttribute attribute;
    attribute.name = member.name;
    BOOST_OUTCOME_TRY(attribute.annotations, Annotations(member.value, path));
    if (const Json* required = member.value.Find("required")) {
      if (required->kind != Json::Kind::kBool) return At(path + ".required", "expected a boolean");
      attribute.required = required->boolean;
    }
    BOOST_OUTCOME_TRY(attribute.type, TypeFrom(member.value, path, "required", "annotations"));
    out.push_back(std::move(attribute));
    return boost::outcome_v2::success();
  }

  std::vector<std::string>& places_;
};

}  // namespace

Result<WrittenSchema> SchemaFromJson(const Json& document, std::string_view file_name,
                                     std::vector<std::string>& places) {
  const std::string file(file_name);
  if (!document.IsObject()) return At(file, "expected a schema as an object");
  WrittenSchema out(1);
  places.push_back(file);
  Reader reader(places);
  for (const JsonMember& member : document.members) {
    const std::string path = file + "." + (member.name.empty() ? "\"\"" : member.name);
    BOOST_OUTCOME_TRY(WrittenNamespace space, reader.Namespace(member.value, member.name, path));
    if (member.name.empty()) {
      out[0] = std::move(space);
    } else {
      out.push_back(std::move(space));
    }
  }
  return out;
}

Result<Schema> Schema::FromJson(const Json& document, std::string_view file_name) {
  std::vector<std::string> places;
  BOOST_OUTCOME_TRY(const WrittenSchema written, SchemaFromJson(document, file_name, places));
  return BuildSchema(written, [&](size_t place, const std::string& message) {
    return (place < places.size() ? places[place] : std::string(file_name)) + ": " + message;
  });
}

Result<Schema> Schema::ParseAny(std::string_view text, std::string_view file_name) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return Parse(text, file_name);
  BOOST_OUTCOME_TRY(const Json document, ParseJson(text, file_name));
  return FromJson(document, file_name);
}

}  // namespace portcullis::policy::cedar
