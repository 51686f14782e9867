// The syntax tree. Expressions live in one arena per policy set and point at each other; nothing is
// owned by a node but its names and literal, so that dropping a set never recurses. Chains of &&,
// ||, + - and * are one node with many arguments: text length cannot make the tree deep, and the
// parser refuses nesting beyond kMaxDepth, therefore every walk over the tree may recurse.
// Immutable after parsing.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/cedar/extension.h"
#include "policy/cedar/lexer.h"
#include "policy/cedar/policy_set.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

enum class Var : uint8_t { kPrincipal, kAction, kResource, kContext };

enum class Op : uint8_t {
  kLiteral,
  kVar,
  kAnd,  // args: two or more
  kOr,
  kNot,
  kNegate,
  kIf,  // args: condition, then, else
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kSum,      // args: two or more; name[i] is the sign before args[i + 1]
  kProduct,  // args: two or more
  kContains,
  kContainsAll,
  kContainsAny,
  kIsEmpty,
  kGetTag,
  kHasTag,
  kGetAttr,  // args: object; name
  kHasAttr,  // args: object; names: the path
  kLike,     // args: text; pattern
  kIs,       // args: object; name: the entity type
  kIsIn,     // args: object, ancestor; name
  kSet,
  kRecord,  // args and names in parallel, sorted by name
  kCall,    // function; args
};

struct Expr {
  Op op = Op::kLiteral;
  Var var = Var::kPrincipal;
  Function function = Function::kIp;
  bool constant = false;  // `literal` holds the value, whatever op says
  int depth = 1;
  size_t weight = 1;    // nodes, those of an object once for each name of a `has` path
  uint32_t offset = 0;  // in the text of its file
  Value literal;
  std::string name;
  std::vector<std::string> names;
  std::vector<const Expr*> args;
  Pattern pattern;
};

enum class Effect : uint8_t { kPermit, kForbid };
enum class ScopeOp : uint8_t { kAny, kEqual, kIn, kIs, kIsIn, kInList };

// A constraint on principal, action or resource in a policy's head.
struct Scope {
  ScopeOp op = ScopeOp::kAny;
  Value entity;             // kEqual, kIn, kIsIn
  std::string type;         // kIs, kIsIn
  std::vector<Value> list;  // kInList (action only), entity values
  bool slot = false;        // ?principal or ?resource stands in place of `entity`
  bool linked = false;      // `entity` was put in place of a slot
  uint32_t offset = 0;
};

struct Condition {
  bool unless = false;
  const Expr* body = nullptr;
};

struct Policy {
  std::string id;
  Effect effect = Effect::kPermit;
  std::map<std::string, std::string> annotations;
  std::set<std::string> bare_annotations;  // those of them written without a value
  std::string template_id;                 // of a link: the template it was made from
  Scope principal;
  Scope action;
  Scope resource;
  std::vector<Condition> conditions;
  uint32_t file = 0;
  uint32_t offset = 0;  // of the effect word

  bool IsTemplate() const { return principal.slot || resource.slot; }
};

struct ParsedFiles {
  std::deque<SourceFile> files;  // never moved: parsers hold views of the texts
  size_t text_size = 0;          // bytes, of all of them
  size_t repeated = 0;           // nodes that `has` paths repeat when they are written out
  std::deque<Expr> arena;
  std::vector<Policy> policies;                        // static ones and links
  std::vector<Policy> templates;                       // with slots: they decide nothing
  std::map<std::string, uint32_t, std::less<>> by_id;  // positions in `policies`

  const SourceFile& FileOf(const Policy& policy) const { return files[policy.file]; }
};

std::string_view NameOf(Var var);

}  // namespace portcullis::policy::cedar
