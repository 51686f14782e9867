#include <algorithm>
#include <set>

#include "policy/cedar/schema_write.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

using Form = WrittenType::Form;

std::string NameOrQuoted(const std::string& name) {
  return IsIdentifier(name) ? name : Quoted(name);
}

Error Unwritable(const std::string& what) {
  return {Code::kUnsupported, what + " has no form in Cedar's schema syntax"};
}

class Writer {
 public:
  explicit Writer(const WrittenSchema& schema) : schema_(schema) {
    for (const WrittenNamespace& space : schema) {
      for (const WrittenEntity& entity : space.entities) declared_.insert(entity.name.path);
      for (const WrittenCommonType& common : space.types) declared_.insert(common.name.path);
    }
  }

  Result<std::string> Write() {
    for (const WrittenNamespace& space : schema_) {
      const bool named = !space.name.path.empty();
      if (named) {
        Separate();
        Annotations(space.annotations);
        out_ += "namespace " + space.name.path + " {\n";
        indent_ = "  ";
      }
      first_ = first_ || named;
      BOOST_OUTCOME_TRY(Declarations(space));
      if (named) {
        indent_.clear();
        out_ += "}\n";
        first_ = false;
      }
    }
    return std::move(out_);
  }

 private:
  void Separate() {
    if (!first_) out_ += '\n';
    first_ = false;
  }
  void Annotations(const WrittenAnnotations& annotations) {
    for (const auto& [name, value] : annotations) {
      out_ += indent_ + "@" + name + (value.empty() ? "" : "(" + Quoted(value) + ")") + "\n";
    }
  }

  Result<void> Declarations(const WrittenNamespace& space) {
    for (const WrittenCommonType& common : space.types) {
      const bool collides = std::any_of(
          space.entities.begin(), space.entities.end(),
          [&](const WrittenEntity& entity) { return entity.name.path == common.name.path; });
      if (collides)
        return Unwritable("an entity type and a common type called " + common.name.path);
      Separate();
      Annotations(common.annotations);
      out_ += indent_ + "type " + common.name.path + " = ";
      Type(common.type);
      out_ += ";\n";
    }
    for (const WrittenEntity& entity : space.entities) {
      BOOST_OUTCOME_TRY(Entity(space, entity));
    }
    for (const WrittenAction& action : space.actions) Action(action);
    return boost::outcome_v2::success();
  }

  Result<void> Entity(const WrittenNamespace& space, const WrittenEntity& entity) {
    Separate();
    Annotations(entity.annotations);
    out_ += indent_ + "entity " + entity.name.path;
    if (!entity.members.empty()) {
      out_ += " enum [";
      for (const std::string& id : entity.members) {
        out_ += (out_.back() == '[' ? "" : ", ") + Quoted(id);
      }
      out_ += "];\n";
      return boost::outcome_v2::success();
    }
    if (!entity.parents.empty()) out_ += " in " + Paths(entity.parents, true);
    if (entity.shape) {
      const WrittenType* shape = RecordBehind(space, *entity.shape);
      if (shape == nullptr) return Unwritable("the shape of entity type " + entity.name.path);
      if (!shape->attributes.empty()) {
        out_ += " = ";
        Type(*shape);
      }
    }
    if (entity.tags) {
      out_ += " tags ";
      Type(*entity.tags);
    }
    out_ += ";\n";
    return boost::outcome_v2::success();
  }

  // The syntax writes a shape out; JSON may name a common type.
  const WrittenType* RecordBehind(const WrittenNamespace& space, const WrittenType& type) const {
    const WrittenType* current = &type;
    constexpr int kMaxChain = 100;
    for (int i = 0; i < kMaxChain; ++i) {
      if (current->form == Form::kRecord) return current;
      const WrittenType* next = nullptr;
      for (const WrittenCommonType& common : space.types) {
        if (common.name.path == current->path.path) next = &common.type;
      }
      if (next == nullptr) return nullptr;
      current = next;
    }
    return nullptr;
  }

  void Action(const WrittenAction& action) {
    Separate();
    Annotations(action.annotations);
    out_ += indent_ + "action " + NameOrQuoted(action.name.path);
    if (!action.parents.empty()) {
      out_ += " in [";
      for (const WrittenAction::Parent& parent : action.parents) {
        if (out_.back() != '[') out_ += ", ";
        out_ += parent.type.path.empty() ? NameOrQuoted(parent.id)
                                         : parent.type.path + "::" + Quoted(parent.id);
      }
      out_ += ']';
    }
    if (!action.principals.empty() && !action.resources.empty()) {
      out_ += " appliesTo {\n" + indent_ + "  principal: " + Paths(action.principals, false) +
              ",\n" + indent_ + "  resource: " + Paths(action.resources, false);
      if (action.context &&
          (action.context->form != Form::kRecord || !action.context->attributes.empty())) {
        out_ += ",\n" + indent_ + "  context: ";
        indent_ += "  ";
        Type(*action.context);
        indent_.resize(indent_.size() - 2);
      }
      out_ += "\n" + indent_ + "}";
    }
    out_ += ";\n";
  }

  static std::string Paths(const std::vector<WrittenPath>& paths, bool brackets) {
    if (paths.size() == 1 && !brackets) return paths[0].path;
    std::string out = "[";
    for (const WrittenPath& path : paths) out += (out.size() > 1 ? ", " : "") + path.path;
    return out + "]";
  }

  void Type(const WrittenType& type) {
    switch (type.form) {
      case Form::kSet:
        out_ += "Set<";
        Type(type.element[0]);
        out_ += '>';
        return;
      case Form::kRecord:
        if (type.attributes.empty()) {
          out_ += "{}";
          return;
        }
        out_ += "{\n";
        indent_ += "  ";
        for (const WrittenAttribute& attribute : type.attributes) {
          Annotations(attribute.annotations);
          out_ += indent_ + NameOrQuoted(attribute.name) + (attribute.required ? ": " : "?: ");
          Type(attribute.type);
          out_ += &attribute == &type.attributes.back() ? "\n" : ",\n";
        }
        indent_.resize(indent_.size() - 2);
        out_ += indent_ + "}";
        return;
      case Form::kBuiltIn:  // under its full name where something else is called the same
        out_ += (declared_.contains(type.path.path) ? "__cedar::" : "") + type.path.path;
        return;
      default:
        out_ += type.path.path;
    }
  }

  const WrittenSchema& schema_;
  std::set<std::string> declared_;
  std::string out_;
  std::string indent_;
  bool first_ = true;
};

}  // namespace

Result<std::string> SchemaText(const WrittenSchema& schema) { return Writer(schema).Write(); }

}  // namespace portcullis::policy::cedar
