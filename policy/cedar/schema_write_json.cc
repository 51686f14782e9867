#include "policy/cedar/json.h"
#include "policy/cedar/schema_write.h"

namespace portcullis::policy::cedar {
namespace {

using Form = WrittenType::Form;

// The members of one object, in order of their appearance.
class Object {
 public:
  void Add(std::string_view name, const std::string& json) {
    out_ += (out_.size() > 1 ? "," : "") + JsonQuoted(name) + ":" + json;
  }
  void AddText(std::string_view name, std::string_view text) { Add(name, JsonQuoted(text)); }
  void AddAnnotations(const WrittenAnnotations& annotations) {
    if (annotations.empty()) return;
    Object list;
    for (const auto& [name, value] : annotations) list.AddText(name, value);
    Add("annotations", list.Take());
  }
  std::string Take() { return out_ + "}"; }

 private:
  std::string out_ = "{";
};

template <class Range, class Write>
std::string List(const Range& range, Write&& write) {
  std::string out = "[";
  for (const auto& item : range) out += (out.size() > 1 ? "," : "") + write(item);
  return out + "]";
}

std::string Names(const std::vector<WrittenPath>& paths) {
  return List(paths, [](const WrittenPath& path) { return JsonQuoted(path.path); });
}

void AddType(Object& object, const WrittenType& type);

std::string TypeJson(const WrittenType& type) {
  Object object;
  AddType(object, type);
  return object.Take();
}

void AddType(Object& object, const WrittenType& type) {
  const std::string& name = type.path.path;
  switch (type.form) {
    case Form::kPath:
      object.AddText("type", "EntityOrCommon");
      object.AddText("name", name);
      return;
    case Form::kEntity:
      object.AddText("type", "Entity");
      object.AddText("name", name);
      return;
    case Form::kCommon:
      object.AddText("type", name);
      return;
    case Form::kBuiltIn:
      if (name == "Long" || name == "String" || name == "Bool") {
        object.AddText("type", name == "Bool" ? "Boolean" : name);
      } else {
        object.AddText("type", "Extension");
        object.AddText("name", name);
      }
      return;
    case Form::kSet:
      object.AddText("type", "Set");
      object.Add("element", TypeJson(type.element[0]));
      return;
    case Form::kRecord: {
      Object attributes;
      for (const WrittenAttribute& attribute : type.attributes) {
        Object one;
        AddType(one, attribute.type);
        one.AddAnnotations(attribute.annotations);
        if (!attribute.required) one.Add("required", "false");
        attributes.Add(attribute.name, one.Take());
      }
      object.AddText("type", "Record");
      object.Add("attributes", attributes.Take());
      return;
    }
  }
}

bool IsEmptyRecord(const WrittenType& type) {
  return type.form == Form::kRecord && type.attributes.empty();
}

std::string EntityJson(const WrittenEntity& entity) {
  Object object;
  if (!entity.members.empty()) {
    object.Add("enum", List(entity.members, [](const std::string& id) { return JsonQuoted(id); }));
  }
  if (!entity.parents.empty()) object.Add("memberOfTypes", Names(entity.parents));
  if (entity.shape && !IsEmptyRecord(*entity.shape)) object.Add("shape", TypeJson(*entity.shape));
  if (entity.tags) object.Add("tags", TypeJson(*entity.tags));
  object.AddAnnotations(entity.annotations);
  return object.Take();
}

std::string ActionJson(const WrittenAction& action) {
  Object applies;
  applies.Add("resourceTypes", Names(action.resources));
  applies.Add("principalTypes", Names(action.principals));
  if (action.context && !IsEmptyRecord(*action.context)) {
    WrittenType context = *action.context;
    if (context.form == Form::kPath) context.form = Form::kCommon;  // a context is no entity
    applies.Add("context", TypeJson(context));
  }
  Object object;
  object.Add("appliesTo", applies.Take());
  if (!action.parents.empty()) {
    object.Add("memberOf", List(action.parents, [](const WrittenAction::Parent& parent) {
                 Object one;
                 one.AddText("id", parent.id);
                 if (!parent.type.path.empty()) one.AddText("type", parent.type.path);
                 return one.Take();
               }));
  }
  object.AddAnnotations(action.annotations);
  return object.Take();
}

std::string NamespaceJson(const WrittenNamespace& space) {
  Object object;
  if (!space.types.empty()) {
    Object types;
    for (const WrittenCommonType& common : space.types) {
      Object one;
      AddType(one, common.type);
      one.AddAnnotations(common.annotations);
      types.Add(common.name.path, one.Take());
    }
    object.Add("commonTypes", types.Take());
  }
  Object entities, actions;
  for (const WrittenEntity& entity : space.entities) {
    entities.Add(entity.name.path, EntityJson(entity));
  }
  for (const WrittenAction& action : space.actions) {
    actions.Add(action.name.path, ActionJson(action));
  }
  object.Add("entityTypes", entities.Take());
  object.Add("actions", actions.Take());
  object.AddAnnotations(space.annotations);
  return object.Take();
}

}  // namespace

std::string SchemaJson(const WrittenSchema& schema) {
  Object document;
  for (const WrittenNamespace& space : schema) {
    const bool empty = space.types.empty() && space.entities.empty() && space.actions.empty();
    if (space.name.path.empty() && empty) continue;
    document.Add(space.name.path, NamespaceJson(space));
  }
  return document.Take();
}

}  // namespace portcullis::policy::cedar
