// A schema: entity types, their attributes and tags, and actions with what they apply to. Read from
// Cedar's schema syntax or its JSON form, with every name resolved: a Schema that exists is
// consistent. Immutable and shared between threads.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/authorize.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Json;  // json.h
struct Type;
using TypePtr = std::shared_ptr<const Type>;

struct Attribute {
  TypePtr type;
  bool required = true;

  bool operator==(const Attribute& other) const;
};
using Attributes = std::map<std::string, Attribute>;

// The kinds of a schema, and beside them the finer ones that the validator computes with.
struct Type {
  enum class Kind : uint8_t {
    kNever,  // of an empty set's elements
    kTrue,
    kFalse,
    kBool,
    kLong,
    kString,
    kDecimal,
    kIp,
    kDatetime,
    kDuration,
    kEntity,
    kSet,
    kRecord,
  };

  Kind kind = Kind::kNever;
  std::string entity;              // kEntity: the entity type; empty where it is one of several
  std::set<std::string> entities;  // kEntity: those several; only permissive validation has them
  TypePtr element;                 // kSet
  Attributes attributes;           // kRecord
  bool open = false;               // kRecord: may have further attributes; only permissive

  // Of a record; nullptr when there is no such attribute or this is no record.
  const Attribute* Find(std::string_view name) const;
  bool operator==(const Type& other) const;
};
std::string ToText(const Type& type);

struct EntityType {
  std::string name;
  std::set<std::string> parents;    // types it may directly be a member of
  std::set<std::string> ancestors;  // types it may lie below, without itself
  Attributes attributes;
  TypePtr tags;                   // nullptr: no tags
  std::set<std::string> members;  // of an enumerated type: its only ids
  bool enumerated = false;
};

struct Action {
  EntityUid uid;
  std::set<EntityUid> parents;
  std::set<EntityUid> ancestors;  // without itself
  std::set<std::string> principals;
  std::set<std::string> resources;
  TypePtr context;  // a record
};

class Schema {
 public:
  static Result<Schema> Parse(std::string_view text, std::string_view file_name);
  static Result<Schema> FromJson(const Json& document, std::string_view file_name);
  // Either form: a text whose first character is { is JSON.
  static Result<Schema> ParseAny(std::string_view text, std::string_view file_name);

  const EntityType* FindEntityType(std::string_view name) const;
  const Action* FindAction(const EntityUid& uid) const;
  const std::map<std::string, EntityType, std::less<>>& entity_types() const { return entities_; }
  const std::map<EntityUid, Action>& actions() const { return actions_; }
  // Whether an entity of type `child` can be, or lie below, one of type `parent`.
  bool CanBeIn(std::string_view child, std::string_view parent) const;

  // Entities that stand for the actions and their hierarchy.
  std::vector<Entity> ActionEntities() const;

  // Conformance; the error says which attribute of which entity is wrong, and how.
  Result<void> CheckEntity(const EntityUid& uid, const Entities::Stored& entity) const;
  Result<void> CheckRequest(const Request& request) const;
  Result<void> CheckUid(const EntityUid& uid) const;  // type known, enumerated id listed

 private:
  friend class SchemaBuilder;

  Result<void> CheckValue(const Value& value, const Type& type, const std::string& path) const;

  std::map<std::string, EntityType, std::less<>> entities_;
  std::map<EntityUid, Action> actions_;
};

}  // namespace portcullis::policy::cedar
