#include "policy/cedar/print.h"

#include "policy/cedar/operators.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

class Printer {
 public:
  explicit Printer(std::string& out) : out_(out) {}

  // In parentheses where the expression binds more loosely than its place demands.
  void Print(const Expr& expr, Binding place) {
    const bool parentheses = BindingOf(expr) < place;
    if (parentheses) out_ += '(';
    Bare(expr);
    if (parentheses) out_ += ')';
  }

 private:
  void Bare(const Expr& expr) {
    switch (expr.op) {
      case Op::kLiteral:
        out_ += expr.literal.ToText();
        return;
      case Op::kVar:
        out_ += NameOf(expr.var);
        return;
      case Op::kAnd:
        Joined(expr, Binding::kRelation);
        return;
      case Op::kOr:
        Joined(expr, Binding::kAnd);
        return;
      case Op::kProduct:
        Joined(expr, Binding::kUnary);
        return;
      case Op::kSum:
        Print(*expr.args[0], Binding::kProduct);
        for (size_t i = 1; i < expr.args.size(); ++i) {
          out_ += {' ', expr.name[i - 1], ' '};
          Print(*expr.args[i], Binding::kProduct);
        }
        return;
      case Op::kNot:
      case Op::kNegate:
        Prefix(expr.op == Op::kNot ? '!' : '-', *expr.args[0]);
        return;
      case Op::kIf:
        out_ += "if ";
        Print(*expr.args[0], Binding::kIf);
        out_ += " then ";
        Print(*expr.args[1], Binding::kIf);
        out_ += " else ";
        Print(*expr.args[2], Binding::kIf);
        return;
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
      case Op::kIn:
        Joined(expr, Binding::kSum);
        return;
      case Op::kContains:
      case Op::kContainsAll:
      case Op::kContainsAny:
      case Op::kIsEmpty:
      case Op::kGetTag:
      case Op::kHasTag:
        Call(MethodOf(expr.op)->name, true, expr);
        return;
      case Op::kGetAttr:
        Print(*expr.args[0], Binding::kMember);
        out_ += IsIdentifier(expr.name) ? "." + expr.name : "[" + Quoted(expr.name) + "]";
        return;
      case Op::kHasAttr:
        HasAttribute(expr);
        return;
      case Op::kLike:
        Print(*expr.args[0], Binding::kSum);
        out_ += " like " + PrintPattern(expr.pattern);
        return;
      case Op::kIs:
      case Op::kIsIn:
        Print(*expr.args[0], Binding::kSum);
        out_ += " is " + expr.name;
        if (expr.op == Op::kIs) return;
        out_ += " in ";
        Print(*expr.args[1], Binding::kSum);
        return;
      case Op::kSet:
        out_ += '[';
        List(expr, 0);
        out_ += ']';
        return;
      case Op::kRecord:
        out_ += '{';
        for (size_t i = 0; i < expr.args.size(); ++i) {
          if (i > 0) out_ += ", ";
          out_ += (IsIdentifier(expr.names[i]) ? expr.names[i] : Quoted(expr.names[i])) + ": ";
          Print(*expr.args[i], Binding::kIf);
        }
        out_ += '}';
        return;
      case Op::kCall: {
        const FunctionInfo& info = InfoOf(expr.function);
        Call(info.name, info.method, expr);
        return;
      }
    }
  }

  // Runs of operators get parentheses, for five in a row are one too many; so does a number, for
  // -5 is a literal of its own.
  void Prefix(char sign, const Expr& arg) {
    const bool number = arg.op == Op::kLiteral && arg.literal.IsLong();
    out_ += sign;
    if (sign == '-' && number) out_ += '(';
    Print(arg, sign == '-' && number ? Binding::kIf : Binding::kMember);
    if (sign == '-' && number) out_ += ')';
  }

  void Joined(const Expr& expr, Binding place) {
    for (size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += " " + std::string(SymbolOf(expr.op)) + " ";
      Print(*expr.args[i], place);
    }
  }

  void List(const Expr& expr, size_t first) {
    for (size_t i = first; i < expr.args.size(); ++i) {
      if (i > first) out_ += ", ";
      Print(*expr.args[i], Binding::kIf);
    }
  }

  void Call(std::string_view name, bool method, const Expr& expr) {
    method = method && !expr.args.empty();  // JSON can leave out the object; that never evaluates
    if (method) {
      Print(*expr.args[0], Binding::kMember);
      out_ += '.';
    }
    out_ += name;
    out_ += '(';
    List(expr, method ? 1 : 0);
    out_ += ')';
  }

  // A path of names that are no identifiers has only the long way to be written.
  void HasAttribute(const Expr& expr) {
    const std::vector<std::string>& names = expr.names;
    bool plain = true;
    for (const std::string& name : names) plain = plain && IsIdentifier(name);
    if (!plain && names.size() > 1) out_ += '(';
    const size_t tests = plain ? 1 : names.size();
    for (size_t i = 0; i < tests; ++i) {
      if (i > 0) out_ += " && ";
      Print(*expr.args[0], i == 0 ? Binding::kSum : Binding::kMember);
      for (size_t k = 0; k < i; ++k) out_ += "[" + Quoted(names[k]) + "]";
      out_ += " has ";
      if (!plain) out_ += Quoted(names[i]);
    }
    if (plain) {
      for (size_t i = 0; i < names.size(); ++i) out_ += (i == 0 ? "" : ".") + names[i];
    } else if (names.size() > 1) {
      out_ += ')';
    }
  }

  std::string& out_;
};

std::string ScopeText(const Scope& scope, Var var) {
  std::string out(NameOf(var));
  const std::string operand = scope.slot                  ? "?" + out
                              : scope.op == ScopeOp::kAny ? ""
                                                          : scope.entity.ToText();
  switch (scope.op) {
    case ScopeOp::kAny:
      return out;
    case ScopeOp::kEqual:
      return out + " == " + operand;
    case ScopeOp::kIn:
      return out + " in " + operand;
    case ScopeOp::kIs:
      return out + " is " + scope.type;
    case ScopeOp::kIsIn:
      return out + " is " + scope.type + " in " + operand;
    case ScopeOp::kInList:
      out += " in [";
      for (size_t i = 0; i < scope.list.size(); ++i) {
        out += (i == 0 ? "" : ", ") + scope.list[i].ToText();
      }
      return out + "]";
  }
  return out;
}

}  // namespace

std::string PrintPattern(const Pattern& pattern) {
  std::string out = "\"";
  for (size_t i = 0; i < pattern.pieces.size(); ++i) {
    if (i > 0) out += '*';
    const std::string quoted = Quoted(pattern.pieces[i]);
    for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2)) {
      if (c == '*') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

std::string PrintExpr(const Expr& expr) {
  std::string out;
  Printer(out).Print(expr, Binding::kIf);
  return out;
}

std::string PrintPolicy(const Policy& policy) {
  std::string out;
  for (const auto& [name, value] : policy.annotations) {
    out += "@" + name;
    if (!policy.bare_annotations.contains(name)) out += "(" + Quoted(value) + ")";
    out += '\n';
  }
  out += policy.effect == Effect::kPermit ? "permit(" : "forbid(";
  out += ScopeText(policy.principal, Var::kPrincipal) + ", " +
         ScopeText(policy.action, Var::kAction) + ", " +
         ScopeText(policy.resource, Var::kResource) + ")";
  for (const Condition& condition : policy.conditions) {
    out += condition.unless ? " unless { " : " when { ";
    out += PrintExpr(*condition.body) + " }";
  }
  return out + ";";
}

}  // namespace portcullis::policy::cedar
