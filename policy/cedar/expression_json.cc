// Reading. WriteJson is in expression_json_write.cc.
#include "policy/cedar/expression_json.h"

#include <algorithm>
#include <initializer_list>

#include "policy/cedar/operators.h"
#include "policy/cedar/text.h"
#include "policy/cedar/tree.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

using Node = Result<const Expr*>;

Error At(const std::string& path, std::string message, Code code = Code::kJson) {
  return {code, path + ": " + std::move(message)};
}

class Reader {
 public:
  explicit Reader(ParsedFiles& files) : files_(files) {}

  Node Read(const Json& json, const std::string& path) {
    if (!json.IsObject() || json.members.size() != 1) {
      return At(path, "expected an object with one member, the operator");
    }
    const std::string& name = json.members[0].name;
    const Json& body = json.members[0].value;
    const std::string inside = path + "." + name;
    if (name == "Value") return Constant(body, inside);
    if (name == "Var") return Variable(body, inside);
    if (name == "Slot") return At(inside, "a slot can only stand in the head of a template");
    if (name == "!") return Unary(Op::kNot, body, inside);
    if (name == "neg") return Unary(Op::kNegate, body, inside);
    if (name == "isEmpty") return Unary(Op::kIsEmpty, body, inside);
    if (name == "&&") return Chain(Op::kAnd, json, inside);
    if (name == "||") return Chain(Op::kOr, json, inside);
    if (name == "*") return Chain(Op::kProduct, json, inside);
    if (name == "+" || name == "-") return Chain(Op::kSum, json, inside);
    if (const std::optional<Op> relation = RelationNamed(name)) {
      return Binary(*relation, body, inside);
    }
    if (const Method* method = MethodNamed(name)) return Binary(method->op, body, inside);
    if (name == ".") return GetAttribute(body, inside);
    if (name == "has") return Has(body, inside);
    if (name == "like") return Like(body, inside);
    if (name == "is") return Is(body, inside);
    if (name == "if-then-else") return Conditional(body, inside);
    if (name == "Set") return Set(body, inside);
    if (name == "Record") return Record(body, inside);
    if (const std::optional<Function> function = FunctionNamed(name)) {
      return Call(*function, body, inside);
    }
    return At(path, "there is no operator " + Quoted(name));
  }

 private:
  Node Add(Expr expr, const std::string& path) {
    if (const Expr* added = AddExpr(files_, std::move(expr))) return added;
    return At(path, "nested deeper than " + std::to_string(kMaxDepth) + " levels", Code::kTooDeep);
  }

  // The members must be exactly `required`, and may be one of `optional`.
  static Result<void> Members(const Json& json, std::initializer_list<std::string_view> required,
                              const std::string& path, std::string_view optional = {}) {
    if (!json.IsObject()) return At(path, "expected an object");
    for (const std::string_view name : required) {
      if (json.Find(name) == nullptr) return At(path, "lacks the member " + Quoted(name));
    }
    for (const JsonMember& member : json.members) {
      if (member.name != optional &&
          std::find(required.begin(), required.end(), member.name) == required.end()) {
        return At(path, "unexpected member " + Quoted(member.name));
      }
    }
    return boost::outcome_v2::success();
  }

  Node Constant(const Json& json, const std::string& path) {
    if (json.IsArray()) {
      std::vector<const Expr*> args;
      for (size_t i = 0; i < json.items.size(); ++i) {
        BOOST_OUTCOME_TRY(const Expr* item,
                          Constant(json.items[i], path + "[" + std::to_string(i) + "]"));
        args.push_back(item);
      }
      return Add(MakeExpr(Op::kSet, 0, std::move(args)), path);
    }
    if (const std::optional<ExtensionEscape> escape = AsExtensionEscape(json)) {
      const std::optional<Function> function = FunctionNamed(escape->function);
      if (!function) return At(path, "there is no function " + Quoted(escape->function));
      std::vector<const Expr*> args;
      for (const Json* argument : escape->arguments) {
        BOOST_OUTCOME_TRY(const Expr* value, Constant(*argument, path));
        args.push_back(value);
      }
      Expr call = MakeExpr(Op::kCall, 0, std::move(args));
      call.function = *function;
      return Add(std::move(call), path);
    }
    if (json.IsObject() && !IsEntityEscape(json) && !IsExpressionEscape(json)) {
      return Fields(json, path, [&](const Json& value, const std::string& where) {
        return Constant(value, where);
      });
    }
    BOOST_OUTCOME_TRY(Value value, ValueFromJson(json, nullptr, path));
    return Add(MakeLiteral(std::move(value), 0), path);
  }

  Node Variable(const Json& json, const std::string& path) {
    const std::optional<Var> var = json.IsString() ? VarNamed(json.string) : std::nullopt;
    if (!var) return At(path, "expected \"principal\", \"action\", \"resource\" or \"context\"");
    Expr expr = MakeExpr(Op::kVar, 0, {});
    expr.var = *var;
    return Add(std::move(expr), path);
  }

  Node Unary(Op op, const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"arg"}, path));
    BOOST_OUTCOME_TRY(const Expr* arg, Read(*json.Find("arg"), path + ".arg"));
    return Add(MakeExpr(op, 0, {arg}), path);
  }

  Node Binary(Op op, const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"left", "right"}, path));
    BOOST_OUTCOME_TRY(const Expr* left, Read(*json.Find("left"), path + ".left"));
    BOOST_OUTCOME_TRY(const Expr* right, Read(*json.Find("right"), path + ".right"));
    return Add(MakeExpr(op, 0, {left, right}), path);
  }

  // Walks down the left side as long as it is the same operator (for a sum: + or -).
  Node Chain(Op op, const Json& json, const std::string& path) {
    std::vector<const Json*> rights;  // outermost first
    std::string signs;
    const Json* node = &json;
    const auto belongs = [&](const Json& candidate) {
      if (!candidate.IsObject() || candidate.members.size() != 1) return false;
      const std::string& name = candidate.members[0].name;
      return op == Op::kSum ? name == "+" || name == "-" : name == SymbolOf(op);
    };
    while (belongs(*node)) {
      const Json& body = node->members[0].value;
      BOOST_OUTCOME_TRY(Members(body, {"left", "right"}, path));
      rights.push_back(body.Find("right"));
      signs += node->members[0].name[0];
      node = body.Find("left");
    }
    BOOST_OUTCOME_TRY(const Expr* first, Read(*node, path + ".left"));
    std::vector<const Expr*> args{first};
    for (auto right = rights.rbegin(); right != rights.rend(); ++right) {
      BOOST_OUTCOME_TRY(const Expr* next, Read(**right, path + ".right"));
      args.push_back(next);
    }
    Expr expr = MakeExpr(op, 0, std::move(args));
    if (op == Op::kSum) expr.name.assign(signs.rbegin(), signs.rend());
    return Add(std::move(expr), path);
  }

  Node GetAttribute(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"left", "attr"}, path));
    const Json& name = *json.Find("attr");
    if (!name.IsString()) return At(path + ".attr", "expected a string");
    BOOST_OUTCOME_TRY(const Expr* object, Read(*json.Find("left"), path + ".left"));
    Expr expr = MakeExpr(Op::kGetAttr, 0, {object});
    expr.name = name.string;
    return Add(std::move(expr), path);
  }

  Node Has(const Json& json, const std::string& path) {
    const Json* left = json.Find("left");
    const Json* names = json.Find("attr");
    if (left == nullptr || names == nullptr) return At(path, "expected \"left\" and \"attr\"");
    BOOST_OUTCOME_TRY(const Expr* object, Read(*left, path + ".left"));
    Expr expr = MakeExpr(Op::kHasAttr, 0, {object});
    if (names->IsString()) {
      expr.names.push_back(names->string);
    } else {
      for (const Json& name : names->items) {
        if (!name.IsString()) return At(path + ".attr", "expected strings");
        expr.names.push_back(name.string);
      }
    }
    if (expr.names.empty()) return At(path + ".attr", "expected a string or a list of strings");
    return Add(std::move(expr), path);
  }

  Node Like(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"left", "pattern"}, path));
    const Json& pattern = *json.Find("pattern");
    if (!pattern.IsArray()) return At(path + ".pattern", "expected a list");
    BOOST_OUTCOME_TRY(const Expr* text, Read(*json.Find("left"), path + ".left"));
    Expr expr = MakeExpr(Op::kLike, 0, {text});
    for (const Json& piece : pattern.items) {
      const Json* literal = piece.members.size() == 1 ? piece.Find("Literal") : nullptr;
      if (piece.IsString() && piece.string == "Wildcard") {
        expr.pattern.pieces.emplace_back();
      } else if (literal != nullptr && literal->IsString()) {
        expr.pattern.pieces.back() += literal->string;
      } else {
        return At(path + ".pattern", R"(expected "Wildcard" or {"Literal": …})");
      }
    }
    return Add(std::move(expr), path);
  }

  Node Is(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"left", "entity_type"}, path, "in"));
    const Json& type = *json.Find("entity_type");
    if (!type.IsString() || !IsTypeName(type.string)) {
      return At(path + ".entity_type", "expected the name of an entity type");
    }
    BOOST_OUTCOME_TRY(const Expr* object, Read(*json.Find("left"), path + ".left"));
    Expr expr = MakeExpr(Op::kIs, 0, {object});
    expr.name = type.string;
    const Json* in = json.Find("in");
    if (in != nullptr && in->kind != Json::Kind::kNull) {
      BOOST_OUTCOME_TRY(const Expr* ancestor, Read(*in, path + ".in"));
      expr.op = Op::kIsIn;
      expr.args.push_back(ancestor);
    }
    return Add(std::move(expr), path);
  }

  Node Conditional(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(Members(json, {"if", "then", "else"}, path));
    std::vector<const Expr*> args;
    for (const char* name : {"if", "then", "else"}) {
      BOOST_OUTCOME_TRY(const Expr* part, Read(*json.Find(name), path + "." + name));
      args.push_back(part);
    }
    return Add(MakeExpr(Op::kIf, 0, std::move(args)), path);
  }

  Result<std::vector<const Expr*>> Items(const Json& json, const std::string& path) {
    if (!json.IsArray()) return At(path, "expected a list of expressions");
    std::vector<const Expr*> args;
    for (size_t i = 0; i < json.items.size(); ++i) {
      BOOST_OUTCOME_TRY(const Expr* item,
                        Read(json.items[i], path + "[" + std::to_string(i) + "]"));
      args.push_back(item);
    }
    return args;
  }

  Node Set(const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(std::vector<const Expr*> args, Items(json, path));
    return Add(MakeExpr(Op::kSet, 0, std::move(args)), path);
  }

  Node Record(const Json& json, const std::string& path) {
    if (!json.IsObject()) return At(path, "expected an object");
    return Fields(json, path,
                  [&](const Json& value, const std::string& where) { return Read(value, where); });
  }

  template <class Convert>
  Node Fields(const Json& json, const std::string& path, Convert&& convert) {
    std::map<std::string, const Expr*> fields;
    for (const JsonMember& member : json.members) {
      BOOST_OUTCOME_TRY(fields[member.name], convert(member.value, path + "." + member.name));
    }
    Expr expr = MakeExpr(Op::kRecord, 0, {});
    for (const auto& [name, value] : fields) {
      expr.names.push_back(name);
      expr.args.push_back(value);
    }
    return Add(std::move(expr), path);
  }

  Node Call(Function function, const Json& json, const std::string& path) {
    BOOST_OUTCOME_TRY(std::vector<const Expr*> args, Items(json, path));
    Expr expr = MakeExpr(Op::kCall, 0, std::move(args));
    expr.function = function;
    return Add(std::move(expr), path);
  }

  ParsedFiles& files_;
};

}  // namespace

Node ExprFromJson(ParsedFiles& files, const Json& json, const std::string& path) {
  return Reader(files).Read(json, path);
}

}  // namespace portcullis::policy::cedar
