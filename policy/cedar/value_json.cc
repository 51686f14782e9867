#include "policy/cedar/value_json.h"

#include "policy/cedar/extension.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

Error At(const std::string& path, std::string message, Code code = Code::kJson) {
  return {code, path + ": " + std::move(message)};
}

std::string Sub(const std::string& path, std::string_view name) {
  return path + (IsIdentifier(name) ? "." + std::string(name) : "[" + Quoted(name) + "]");
}

// {"type": string, "id": string}, whatever else is there.
const Json* AsTypeAndId(const Json& json) {
  const Json* type = json.Find("type");
  const Json* id = json.Find("id");
  return type != nullptr && id != nullptr && type->IsString() && id->IsString() ? &json : nullptr;
}

Result<EntityUid> Uid(const Json& type_and_id, const std::string& path) {
  EntityUid uid{type_and_id.Find("type")->string, type_and_id.Find("id")->string};
  if (!IsTypeName(uid.type)) {
    return At(path, Quoted(uid.type) + " is no entity type: expected a name such as Gw::User");
  }
  return uid;
}

Result<Value> CallFromJson(const ExtensionEscape& escape, const std::string& path) {
  const std::optional<Function> function = FunctionNamed(escape.function);
  if (!function) return At(path, "there is no function `" + escape.function + "`");
  std::vector<Value> arguments;
  for (const Json* argument : escape.arguments) {
    BOOST_OUTCOME_TRY(Value value, ValueFromJson(*argument, nullptr, path));
    arguments.push_back(std::move(value));
  }
  Result<Value> result = Call(*function, arguments);
  if (!result) return At(path, result.error().message, Code::kValue);
  return result;
}

// The object under the only member, called `name`.
const Json* OnlyMember(const Json& json, std::string_view name) {
  return json.members.size() == 1 && json.members[0].name == name ? &json.members[0].value
                                                                  : nullptr;
}

// {"fn","arg"} or {"fn","args"}, whatever else is there.
std::optional<ExtensionEscape> AsCall(const Json& json) {
  const Json* name = json.Find("fn");
  if (name == nullptr || !name->IsString()) return std::nullopt;
  ExtensionEscape escape{name->string, {}};
  const Json* list = json.Find("args");
  if (const Json* one = json.Find("arg")) {
    escape.arguments.push_back(one);
  } else if (list != nullptr && list->IsArray()) {
    for (const Json& item : list->items) escape.arguments.push_back(&item);
  } else {
    return std::nullopt;
  }
  return escape;
}

// The bare string of an extension value, where the schema expects one.
std::optional<Function> ConstructorFor(const Type* expected) {
  if (expected == nullptr) return std::nullopt;
  switch (expected->kind) {
    case Type::Kind::kIp:
      return Function::kIp;
    case Type::Kind::kDecimal:
      return Function::kDecimal;
    case Type::Kind::kDatetime:
      return Function::kDatetime;
    case Type::Kind::kDuration:
      return Function::kDuration;
    default:
      return std::nullopt;
  }
}

// Where the schema expects an entity or an extension value, its form may be bare, and members
// beside the explicit form are overlooked.
Result<Value> ObjectFromJson(const Json& json, const Type* expected, const std::string& path) {
  const bool wants_entity = expected != nullptr && expected->kind == Type::Kind::kEntity;
  const Json* entity = json.Find("__entity");
  if (entity != nullptr && AsTypeAndId(*entity) != nullptr &&
      (wants_entity || json.members.size() == 1)) {
    BOOST_OUTCOME_TRY(EntityUid uid, Uid(*entity, path));
    return Value::Entity(std::move(uid));
  }
  if (wants_entity && AsTypeAndId(json) != nullptr) {
    BOOST_OUTCOME_TRY(EntityUid uid, Uid(json, path));
    return Value::Entity(std::move(uid));
  }
  std::optional<ExtensionEscape> call = AsExtensionEscape(json);
  if (!call && ConstructorFor(expected)) {
    const Json* escape = json.Find("__extn");
    call = AsCall(escape != nullptr ? *escape : json);
  }
  if (call) return CallFromJson(*call, path);
  if (IsExpressionEscape(json)) return At(path, "the `__expr` form is no longer part of Cedar");
  std::vector<Value::Field> fields;
  for (const auto& [name, member] : json.members) {
    const Attribute* attribute = expected == nullptr ? nullptr : expected->Find(name);
    BOOST_OUTCOME_TRY(
        Value value,
        ValueFromJson(member, attribute == nullptr ? nullptr : &*attribute->type, Sub(path, name)));
    fields.emplace_back(name, std::move(value));
  }
  return Value::Record(std::move(fields));
}

}  // namespace

std::optional<ExtensionEscape> AsExtensionEscape(const Json& json) {
  const Json* call = OnlyMember(json, "__extn");
  return call == nullptr ? std::nullopt : AsCall(*call);
}
bool IsEntityEscape(const Json& json) {
  const Json* entity = OnlyMember(json, "__entity");
  return entity != nullptr && AsTypeAndId(*entity) != nullptr;
}
bool IsExpressionEscape(const Json& json) {
  const Json* expression = OnlyMember(json, "__expr");
  return expression != nullptr && expression->IsString();
}

bool IsTypeName(std::string_view text) {
  for (;;) {
    const size_t separator = text.find("::");
    if (!IsIdentifier(text.substr(0, separator))) return false;
    if (separator == std::string_view::npos) return true;
    text.remove_prefix(separator + 2);
  }
}

Result<Value> ValueFromJson(const Json& json, const Type* expected, const std::string& path) {
  switch (json.kind) {
    case Json::Kind::kNull:
      return At(path, "null is no Cedar value");
    case Json::Kind::kOtherNumber:
      return At(path, "expected a whole number of 64 bits; Cedar has no other numbers");
    case Json::Kind::kBool:
      return Value::Bool(json.boolean);
    case Json::Kind::kInteger:
      return Value::Long(json.integer);
    case Json::Kind::kString: {
      const std::optional<Function> constructor = ConstructorFor(expected);
      if (!constructor) return Value::String(json.string);
      const Value argument = Value::String(json.string);
      Result<Value> value = Call(*constructor, {&argument, 1});
      if (!value) return At(path, value.error().message, Code::kValue);
      return value;
    }
    case Json::Kind::kArray: {
      const Type* element =
          expected != nullptr && expected->kind == Type::Kind::kSet ? &*expected->element : nullptr;
      std::vector<Value> values;
      for (size_t i = 0; i < json.items.size(); ++i) {
        BOOST_OUTCOME_TRY(Value value, ValueFromJson(json.items[i], element,
                                                     path + "[" + std::to_string(i) + "]"));
        values.push_back(std::move(value));
      }
      return Value::Set(std::move(values));
    }
    case Json::Kind::kObject:
      return ObjectFromJson(json, expected, path);
  }
  return At(path, "unknown JSON");
}

Result<EntityUid> UidFromJson(const Json& json, const std::string& path) {
  if (const Json* wrapped = json.Find("__entity"); wrapped != nullptr && AsTypeAndId(*wrapped)) {
    return Uid(*wrapped, path);
  }
  if (AsTypeAndId(json) != nullptr) return Uid(json, path);
  return At(path, R"(expected an entity as {"type": …, "id": …})");
}

Result<Value> ContextFromJson(const Json& json, const Type* expected, const std::string& path) {
  BOOST_OUTCOME_TRY(Value value, ValueFromJson(json, expected, path));
  if (value.kind() != Kind::kRecord) {
    return At(path, "expected a record, found " + std::string(NameOf(value.kind())));
  }
  return value;
}

std::string ToJson(const EntityUid& uid) {
  return "{\"type\":" + JsonQuoted(uid.type) + ",\"id\":" + JsonQuoted(uid.id) + "}";
}

std::string ToJson(const Value& value) {
  const auto extension = [](std::string_view function, const std::string& argument) {
    return "{\"__extn\":{\"fn\":" + JsonQuoted(function) + ",\"arg\":" + JsonQuoted(argument) +
           "}}";
  };
  switch (value.kind()) {
    case Kind::kBool:
    case Kind::kLong:
      return value.ToText();
    case Kind::kString:
      return JsonQuoted(value.string());
    case Kind::kEntity:
      return "{\"__entity\":" + ToJson(value.entity()) + "}";
    case Kind::kIp:
      return extension("ip", IpText(value.ip()));
    case Kind::kDecimal:
      return extension("decimal", DecimalText(value.long_value()));
    case Kind::kDuration:
      return extension("duration", std::to_string(value.long_value()) + "ms");
    case Kind::kDatetime:
      return "{\"__extn\":{\"fn\":\"offset\",\"args\":[" + extension("datetime", "1970-01-01") +
             "," + extension("duration", std::to_string(value.long_value()) + "ms") + "]}}";
    case Kind::kSet: {
      std::string text = "[";
      for (const Value& element : value.elements()) {
        if (text.size() > 1) text += ',';
        text += ToJson(element);
      }
      return text + "]";
    }
    case Kind::kRecord: {
      std::string text = "{";
      for (const Value::Field& field : value.fields()) {
        if (text.size() > 1) text += ',';
        text += JsonQuoted(field.first) + ":" + ToJson(field.second);
      }
      return text + "}";
    }
  }
  return "null";
}

}  // namespace portcullis::policy::cedar
