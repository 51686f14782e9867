#include <string_view>

#include "policy/cedar/expression_json.h"
#include "policy/cedar/operators.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Write(const Expr& expr) {
    switch (expr.op) {
      case Op::kLiteral:
        Literal(expr.literal);
        return;
      case Op::kVar:
        Open("Var");
        Text(NameOf(expr.var));
        out_ += '}';
        return;
      case Op::kAnd:
      case Op::kOr:
      case Op::kProduct:
      case Op::kSum:
        Chain(expr);
        return;
      case Op::kNot:
      case Op::kNegate:
      case Op::kIsEmpty:
        Open(expr.op == Op::kNot ? "!" : expr.op == Op::kNegate ? "neg" : "isEmpty");
        Member("{", "arg", *expr.args[0]);
        out_ += "}}";
        return;
      case Op::kIf:
        Open("if-then-else");
        Member("{", "if", *expr.args[0]);
        Member(",", "then", *expr.args[1]);
        Member(",", "else", *expr.args[2]);
        out_ += "}}";
        return;
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
      case Op::kIn:
        Binary(SymbolOf(expr.op), expr);
        return;
      case Op::kContains:
      case Op::kContainsAll:
      case Op::kContainsAny:
      case Op::kGetTag:
      case Op::kHasTag:
        Binary(MethodOf(expr.op)->name, expr);
        return;
      case Op::kGetAttr:
        Open(".");
        Member("{", "left", *expr.args[0]);
        NamedText("attr", expr.name);
        out_ += "}}";
        return;
      case Op::kHasAttr:
        Has(*expr.args[0], expr.names);
        return;
      case Op::kLike:
        Open("like");
        Member("{", "left", *expr.args[0]);
        Pieces(expr.pattern);
        out_ += "}}";
        return;
      case Op::kIs:
      case Op::kIsIn:
        Open("is");
        Member("{", "left", *expr.args[0]);
        NamedText("entity_type", expr.name);
        if (expr.op == Op::kIsIn) Member(",", "in", *expr.args[1]);
        out_ += "}}";
        return;
      case Op::kSet:
        Open("Set");
        List(expr);
        return;
      case Op::kRecord:
        Open("Record");
        out_ += '{';
        for (size_t i = 0; i < expr.args.size(); ++i) {
          Member(i == 0 ? "" : ",", expr.names[i], *expr.args[i]);
        }
        out_ += "}}";
        return;
      case Op::kCall:
        Open(InfoOf(expr.function).name);
        List(expr);
        return;
    }
  }

 private:
  void Text(std::string_view text) { out_ += JsonQuoted(text); }
  void Open(std::string_view name) {
    out_ += '{';
    Text(name);
    out_ += ':';
  }
  void Member(std::string_view before, std::string_view name, const Expr& value) {
    out_ += before;
    Text(name);
    out_ += ':';
    Write(value);
  }
  void NamedText(std::string_view name, std::string_view text) {
    out_ += ',';
    Text(name);
    out_ += ':';
    Text(text);
  }
  void Literal(const Value& value) {
    Open("Value");
    out_ += ToJson(value) + "}";
  }
  void Binary(std::string_view name, const Expr& expr) {
    Open(name);
    Member("{", "left", *expr.args[0]);
    Member(",", "right", *expr.args[1]);
    out_ += "}}";
  }
  void List(const Expr& expr) {
    out_ += '[';
    for (size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += ',';
      Write(*expr.args[i]);
    }
    out_ += "]}";
  }
  // a op b op c is (a op b) op c; the outermost operator is the last one.
  void Chain(const Expr& expr) {
    for (size_t i = expr.args.size(); i-- > 1;) {
      Open(expr.op == Op::kSum ? std::string_view(expr.name).substr(i - 1, 1) : SymbolOf(expr.op));
      out_ += "{\"left\":";
    }
    Write(*expr.args[0]);
    for (size_t i = 1; i < expr.args.size(); ++i) {
      Member(",", "right", *expr.args[i]);
      out_ += "}}";
    }
  }
  // x has a.b means x has a && x.a has b.
  void Has(const Expr& object, const std::vector<std::string>& names) {
    for (size_t i = names.size(); i-- > 1;) out_ += "{\"&&\":{\"left\":";
    for (size_t i = 0; i < names.size(); ++i) {
      if (i > 0) out_ += ",\"right\":";
      out_ += "{\"has\":{\"left\":";
      for (size_t k = 0; k < i; ++k) out_ += "{\".\":{\"left\":";
      Write(object);
      for (size_t k = 0; k < i; ++k) {
        NamedText("attr", names[k]);
        out_ += "}}";
      }
      NamedText("attr", names[i]);
      out_ += i > 0 ? "}}}}" : "}}";
    }
  }
  void Pieces(const Pattern& pattern) {
    out_ += ",\"pattern\":[";
    bool first = true;
    const auto separate = [&] {
      if (!first) out_ += ',';
      first = false;
    };
    for (size_t i = 0; i < pattern.pieces.size(); ++i) {
      if (i > 0) {
        separate();
        out_ += "\"Wildcard\"";
      }
      const std::string_view piece = pattern.pieces[i];
      for (size_t at = 0; at < piece.size();) {  // one code point each
        size_t length = 1;
        while (at + length < piece.size() &&
               (static_cast<unsigned char>(piece[at + length]) & 0xC0) == 0x80) {
          ++length;
        }
        separate();
        out_ += "{\"Literal\":" + JsonQuoted(piece.substr(at, length)) + "}";
        at += length;
      }
    }
    out_ += ']';
  }

  std::string& out_;
};

}  // namespace

void WriteJson(const Expr& expr, std::string& out) { Writer(out).Write(expr); }

}  // namespace portcullis::policy::cedar
