// Resolves the names of a written schema. An unqualified name is looked up in its own namespace,
// then outside of all namespaces, then among the built-in types; common types before entity types.
#include <array>
#include <functional>
#include <optional>

#include "policy/cedar/schema.h"
#include "policy/cedar/schema_build.h"
#include "policy/cedar/text.h"
#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::string_view kBuiltInPrefix = "__cedar::";

TypePtr BuiltIn(std::string_view name) {
  struct Entry {
    std::string_view name;
    Type::Kind kind;
  };
  static constexpr std::array<Entry, 7> kTypes = {{{"Bool", Type::Kind::kBool},
                                                   {"Long", Type::Kind::kLong},
                                                   {"String", Type::Kind::kString},
                                                   {"ipaddr", Type::Kind::kIp},
                                                   {"decimal", Type::Kind::kDecimal},
                                                   {"datetime", Type::Kind::kDatetime},
                                                   {"duration", Type::Kind::kDuration}}};
  for (const Entry& entry : kTypes) {
    if (entry.name == name) return SimpleType(entry.kind);
  }
  return nullptr;
}

std::string Qualify(const std::string& space, const std::string& name) {
  return space.empty() ? name : space + "::" + name;
}

bool IsQualified(const std::string& path) { return path.find("::") != std::string::npos; }

// Over all names of a schema: in a chain each name has all the others above it.
constexpr size_t kMaxClosingSteps = 1'000'000;

// Adds what lies above each member of `above` until nothing new comes. Each parent looked at is one
// of `steps`; false when they run out.
template <class Set, class ParentsOf>
bool CloseOver(Set& above, size_t& steps, ParentsOf&& parents_of) {
  std::vector<typename Set::value_type> open(above.begin(), above.end());
  while (!open.empty()) {
    const auto next = std::move(open.back());
    open.pop_back();
    for (const auto& parent : parents_of(next)) {
      if (steps == 0) return false;
      --steps;
      if (above.insert(parent).second) open.push_back(parent);
    }
  }
  return true;
}

}  // namespace

class SchemaBuilder {
 public:
  explicit SchemaBuilder(SchemaPlace place) : place_(std::move(place)) {}

  Result<Schema> Build(const WrittenSchema& spaces) {
    for (const WrittenNamespace& space : spaces) {
      BOOST_OUTCOME_TRY(Declare(space));
    }
    for (const WrittenNamespace& space : spaces) {
      BOOST_OUTCOME_TRY(CheckShadowing(space));
    }
    for (const auto& [name, common] : commons_) {
      BOOST_OUTCOME_TRY(ResolveCommon(name));
    }
    for (const WrittenNamespace& space : spaces) {
      for (const WrittenEntity& entity : space.entities) {
        BOOST_OUTCOME_TRY(ResolveEntity(space.name.path, entity));
      }
      for (const WrittenAction& action : space.actions) {
        BOOST_OUTCOME_TRY(ResolveAction(space.name.path, action));
      }
    }
    BOOST_OUTCOME_TRY(CloseHierarchies());
    return std::move(schema_);
  }

 private:
  struct Common {
    std::string space;
    const WrittenType* written = nullptr;
    size_t offset = 0;
    TypePtr resolved;
    bool open = false;  // being resolved: meeting it again is a cycle
  };

  Error FailAt(size_t offset, const std::string& message) const {
    return {Code::kSchema, place_(offset, message)};
  }

  Result<void> Declare(const WrittenNamespace& space) {
    for (const WrittenEntity& entity : space.entities) {
      const std::string name = Qualify(space.name.path, entity.name.path);
      if (entity.name.path == "Action") {
        return FailAt(entity.name.offset, "an entity type cannot be called `Action`");
      }
      if (!schema_.entities_.emplace(name, EntityType{}).second) {
        return FailAt(entity.name.offset, "entity type `" + name + "` is declared twice");
      }
      schema_.entities_[name].name = name;
    }
    for (const WrittenCommonType& common : space.types) {
      const std::string name = Qualify(space.name.path, common.name.path);
      Common entry;
      entry.space = space.name.path;
      entry.written = &common.type;
      entry.offset = common.name.offset;
      if (!commons_.emplace(name, std::move(entry)).second) {
        return FailAt(common.name.offset, "type `" + name + "` is declared twice");
      }
    }
    for (const WrittenAction& action : space.actions) {
      const EntityUid uid{Qualify(space.name.path, "Action"), action.name.path};
      if (!schema_.actions_.emplace(uid, Action{}).second) {
        return FailAt(action.name.offset, "action " + ToText(uid) + " is declared twice");
      }
      action_types_.insert(uid.type);
    }
    return boost::outcome_v2::success();
  }

  // A name outside of all namespaces must not be hidden by one inside.
  Result<void> CheckShadowing(const WrittenNamespace& space) const {
    if (space.name.path.empty()) return boost::outcome_v2::success();
    const auto check = [&](const WrittenPath& name) -> Result<void> {
      if (schema_.entities_.contains(name.path) || commons_.contains(name.path)) {
        return FailAt(name.offset, "`" + Qualify(space.name.path, name.path) + "` hides the `" +
                                       name.path +
                                       "` declared outside of the namespace; rename one");
      }
      return boost::outcome_v2::success();
    };
    for (const WrittenEntity& entity : space.entities) {
      BOOST_OUTCOME_TRY(check(entity.name));
    }
    for (const WrittenCommonType& type : space.types) {
      BOOST_OUTCOME_TRY(check(type.name));
    }
    for (const WrittenAction& action : space.actions) {
      if (schema_.actions_.contains(EntityUid{"Action", action.name.path})) {
        return FailAt(action.name.offset, "action `" + action.name.path +
                                              "` hides the one declared outside of the namespace");
      }
    }
    return boost::outcome_v2::success();
  }

  Result<TypePtr> ResolveCommon(const std::string& name) {
    Common& common = commons_.find(name)->second;
    if (common.resolved) return common.resolved;
    if (common.open) return FailAt(common.offset, "type `" + name + "` refers to itself");
    constexpr int kMaxChain = 200;
    if (++chain_ > kMaxChain) return FailAt(common.offset, "types refer to each other too deep");
    common.open = true;
    BOOST_OUTCOME_TRY(common.resolved, Resolve(common.space, *common.written));
    common.open = false;
    --chain_;
    return common.resolved;
  }

  bool IsEntity(const std::string& name) const {
    return schema_.entities_.contains(name) || action_types_.contains(name);
  }

  Result<TypePtr> ResolvePath(const std::string& space, const WrittenType& type) {
    using Form = WrittenType::Form;
    const std::string& path = type.path.path;
    std::vector<std::string> candidates{path};
    if (!IsQualified(path) && !space.empty()) candidates = {Qualify(space, path), path};
    if (type.form == Form::kBuiltIn) candidates.clear();
    for (const std::string& name : candidates) {
      if (type.form != Form::kEntity && commons_.contains(name)) return ResolveCommon(name);
      if (type.form != Form::kCommon && IsEntity(name)) return EntityTypeOf(name);
    }
    std::string_view bare = path;
    if (bare.starts_with(kBuiltInPrefix)) bare.remove_prefix(kBuiltInPrefix.size());
    const bool hidden = type.form == Form::kCommon && schema_.entities_.contains(path);
    if (type.form != Form::kEntity && !hidden) {
      if (TypePtr built_in = BuiltIn(bare)) return built_in;
    }
    return FailAt(type.path.offset, (type.form == Form::kEntity ? "there is no entity type `"
                                                                : "there is no type `") +
                                        path + "`");
  }

  Result<TypePtr> Resolve(const std::string& space, const WrittenType& written) {
    Type type;
    if (written.form == WrittenType::Form::kSet) {
      type.kind = Type::Kind::kSet;
      BOOST_OUTCOME_TRY(type.element, Resolve(space, written.element[0]));
    } else if (written.form == WrittenType::Form::kRecord) {
      type.kind = Type::Kind::kRecord;
      BOOST_OUTCOME_TRY(type.attributes, ResolveAttributes(space, written.attributes));
    } else {
      return ResolvePath(space, written);
    }
    return std::make_shared<const Type>(std::move(type));
  }

  Result<Attributes> ResolveAttributes(const std::string& space,
                                       const std::vector<WrittenAttribute>& written) {
    Attributes attributes;
    for (const WrittenAttribute& attribute : written) {
      BOOST_OUTCOME_TRY(TypePtr type, Resolve(space, attribute.type));
      attributes[attribute.name] = Attribute{std::move(type), attribute.required};
    }
    return attributes;
  }

  Result<std::string> ResolveEntityName(const std::string& space, const WrittenPath& written) {
    if (!IsQualified(written.path) && !space.empty()) {
      const std::string own = Qualify(space, written.path);
      if (schema_.entities_.contains(own)) return own;
    }
    if (schema_.entities_.contains(written.path)) return written.path;
    return FailAt(written.offset, "there is no entity type `" + written.path + "`");
  }

  Result<void> ResolveEntity(const std::string& space, const WrittenEntity& written) {
    EntityType& type = schema_.entities_.find(Qualify(space, written.name.path))->second;
    for (const WrittenPath& parent : written.parents) {
      BOOST_OUTCOME_TRY(std::string name, ResolveEntityName(space, parent));
      type.parents.insert(std::move(name));
    }
    if (written.shape) {
      BOOST_OUTCOME_TRY(const TypePtr shape, Resolve(space, *written.shape));
      if (shape->kind != Type::Kind::kRecord) {
        return FailAt(written.name.offset, "the shape of an entity type must be a record");
      }
      type.attributes = shape->attributes;
    }
    if (written.tags) {
      BOOST_OUTCOME_TRY(type.tags, Resolve(space, *written.tags));
    }
    type.enumerated = !written.members.empty();
    type.members.insert(written.members.begin(), written.members.end());
    return boost::outcome_v2::success();
  }

  Result<void> ResolveAction(const std::string& space, const WrittenAction& written) {
    const EntityUid uid{Qualify(space, "Action"), written.name.path};
    Action& action = schema_.actions_.find(uid)->second;
    action.uid = uid;
    for (const WrittenAction::Parent& parent : written.parents) {
      std::vector<EntityUid> candidates{{parent.type.path, parent.id}};
      if (!IsQualified(parent.type.path)) {
        const std::string type = parent.type.path.empty() ? "Action" : parent.type.path;
        candidates = {{Qualify(space, type), parent.id}, {type, parent.id}};
      }
      const EntityUid* found = nullptr;
      for (const EntityUid& candidate : candidates) {
        if (found == nullptr && schema_.actions_.contains(candidate)) found = &candidate;
      }
      if (found == nullptr) {
        return FailAt(parent.type.offset, "there is no action " + ToText(candidates[0]));
      }
      action.parents.insert(*found);
    }
    for (const WrittenPath& type : written.principals) {
      BOOST_OUTCOME_TRY(std::string name, ResolveEntityName(space, type));
      action.principals.insert(std::move(name));
    }
    for (const WrittenPath& type : written.resources) {
      BOOST_OUTCOME_TRY(std::string name, ResolveEntityName(space, type));
      action.resources.insert(std::move(name));
    }
    const WrittenType none{WrittenType::Form::kRecord, {}, {}, {}};
    BOOST_OUTCOME_TRY(action.context, Resolve(space, written.context ? *written.context : none));
    if (action.context->kind != Type::Kind::kRecord) {
      return FailAt(written.name.offset, "the context of an action must be a record");
    }
    return boost::outcome_v2::success();
  }

  Result<void> CloseHierarchies() {
    size_t steps = kMaxClosingSteps;
    const auto too_large = [this](const std::string& what) {
      return Error{Code::kTooLarge, place_(0, "the hierarchy around " + what +
                                                  " is too deep for so many names")};
    };
    for (auto& [name, type] : schema_.entities_) {
      type.ancestors = type.parents;
      const bool closed = CloseOver(
          type.ancestors, steps, [this](const std::string& parent) -> const std::set<std::string>& {
            return schema_.entities_.find(parent)->second.parents;
          });
      if (!closed) return too_large("`" + name + "`");
    }
    for (auto& [uid, action] : schema_.actions_) {
      action.ancestors = action.parents;
      const bool closed = CloseOver(
          action.ancestors, steps, [this](const EntityUid& parent) -> const std::set<EntityUid>& {
            return schema_.actions_.find(parent)->second.parents;
          });
      if (!closed) return too_large("action " + ToText(uid));
      if (action.ancestors.contains(uid)) {
        return FailAt(0, "action " + ToText(uid) + " is a member of itself");
      }
    }
    return boost::outcome_v2::success();
  }

  SchemaPlace place_;
  Schema schema_;
  std::map<std::string, Common> commons_;
  std::set<std::string> action_types_;
  int chain_ = 0;
};

Result<Schema> BuildSchema(const WrittenSchema& schema, SchemaPlace place) {
  return SchemaBuilder(std::move(place)).Build(schema);
}

Result<Schema> Schema::Parse(std::string_view text, std::string_view file_name) {
  BOOST_OUTCOME_TRY(const WrittenSchema written, ReadSchemaText(text, file_name));
  return BuildSchema(written, [&](size_t offset, const std::string& message) {
    return Located(file_name, text, offset, message);
  });
}

}  // namespace portcullis::policy::cedar
