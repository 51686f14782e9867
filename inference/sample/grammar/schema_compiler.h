// The work behind schema.h: one object a compilation. What applies to one place of a value is a list
// of schemas that all have to hold (Subschema). Choices among them are multiplied out (expand), so
// that each alternative is a list of leaves: plain keywords, which are then written type by type. A
// list that holds references becomes a rule of its own the first time it is met, so that recursion
// ends. A state without a way on says that there is no value; Grammar::Finish takes it away. Errors
// name the path of the schema at fault, as a JSON Pointer (RFC 6901) with a leading #. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inference/sample/grammar/automaton.h"
#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

// A bit a type; a number is whole or not.
using Types = uint8_t;
inline constexpr Types kNullType = 1, kBooleanType = 2, kStringType = 4, kArrayType = 8, kObjectType = 16,
                       kWholeType = 32, kFractionType = 64, kNumberType = kWholeType | kFractionType,
                       kAnyType = 127;

struct Subschema {
  const boost::json::value* schema;
  std::string path;
};

struct Leaf {
  const boost::json::object* schema;
  std::string path;
  Types types = kAnyType;      // a guard beside what the schema says
  std::string_view negated{};  // the one keyword of `schema` that must not hold; empty: all must
  bool made = false;           // stands for another schema, so that it evaluates no property
};

// Bytes of a path that are copied for the price of a step.
inline constexpr size_t kPathBytes = 8;
// Nodes of patterns that stand in memory together.
inline constexpr size_t kMostPatternNodes = 100'000;
inline constexpr const char* kPatternsTooLarge = "the patterns that hold together are too large";

inline constexpr const char* kTooLong = "it takes too long to compile; make the schema smaller";

// A refusal of the schema at `path`.
Error At(const std::string& path, const std::string& what);

using Alternative = std::vector<Leaf>;
using Alternatives = std::vector<Alternative>;

class SchemaCompiler {
 public:
  // All must outlive this. `effort`: steps left, see kSchemaEffort.
  SchemaCompiler(Grammar& grammar, const boost::json::value& root, int64_t& effort)
      : g_(grammar), root_(root), effort_(effort) {}

  // A value that all of `schemas` allow, then `next`.
  Result<StateId> Value(std::vector<Subschema> schemas, StateId next);

 private:
  using Object = boost::json::object;
  using Array = boost::json::array;

  // schema.cc
  Result<StateId> Written(const std::vector<Subschema>& schemas, StateId next);
  Result<std::optional<StateId>> Simple(const Subschema& schema, StateId next);
  Result<StateId> Conjunction(const Alternative& leaves, StateId next);
  Result<StateId> OfTypes(Types types, const Alternative& leaves, StateId next);
  Result<StateId> Listed(std::span<const boost::json::value> values, const Leaf& holder,
                         const Alternative& leaves, StateId next);
  Result<StateId> Number(const Alternative& leaves, bool whole, StateId next);
  // schema_text.cc
  Result<StateId> Text(const Alternative& leaves, StateId next);
  Result<std::optional<Automaton>> Formatted(const Leaf& leaf, const Automaton* pattern) const;
  // schema_object.cc
  struct ObjectPlan;
  Result<StateId> Properties(const Alternative& leaves, StateId next);
  Result<void> ReadObject(const Alternative& leaves, ObjectPlan& plan);
  Result<std::vector<Subschema>> OfProperty(const Alternative& leaves, const std::string& name);
  Result<bool> FreeProperties(const Alternative& leaves, ObjectPlan& plan);
  Result<StateId> NameRule(const ObjectPlan& plan, const std::vector<Automaton>& all,
                           std::vector<Automaton> none, StateId next);
  std::vector<StateId> AfterFree(const ObjectPlan& plan, size_t most, StateId close);
  // schema_array.cc
  struct ArrayPlan;
  Result<StateId> Items(const Alternative& leaves, StateId next);
  Result<void> ReadArray(const Alternative& leaves, ArrayPlan& plan);
  static std::vector<Subschema> OfItem(const Alternative& leaves, size_t position);
  bool NeverRunsOut(const std::vector<Subschema>& item) const;
  Result<StateId> Repeated(const ArrayPlan& plan, std::vector<Subschema> item, StateId next);
  Result<StateId> Placed(const Alternative& leaves, const ArrayPlan& plan, StateId next);
  StateId Distinct(const Array& values, const ArrayPlan& plan, StateId next);
  std::optional<Array> ValuesOf(const std::vector<Subschema>& schemas) const;

  // schema_expand.cc: alternatives of leaves; what must not hold is written as what must instead.
  Result<Alternatives> Expand(const boost::json::value& schema, const std::string& path);
  Result<Alternatives> ExpandObject(const Object& schema, const std::string& path);
  Result<Alternatives> Union(const boost::json::value& list, const std::string& path, bool exclusive);
  Result<Alternatives> Conditional(const Object& schema, const std::string& path);
  Result<Alternatives> Dependent(const Object& schema, const std::string& path);
  bool Contradicts(const Alternative& leaves) const;
  Result<Alternatives> Cross(const Alternatives& a, const Alternatives& b, const std::string& path) const;
  void CloseUnevaluated(const Object& schema, const std::string& path, Alternatives& all);
  Leaf Made(Object schema, const std::string& path, Types types = kAnyType);
  // schema_negate.cc
  Result<Alternatives> Negate(const boost::json::value& schema, const std::string& path);
  Result<bool> NegateKeyword(const Object& schema, std::string_view keyword, const std::string& path,
                             Alternatives& out);

  // schema_check.cc: typed access, refusals, and whether two branches exclude each other.
  Result<void> CheckKeywords(const Object& schema, const std::string& path) const;
  Result<Counter> Limits(const Alternative& leaves, const char* least, const char* most) const;
  Result<const boost::json::value*> Resolve(const Object& schema, const std::string& path) const;
  const Object& Followed(const boost::json::value& schema, int depth = 0) const;
  bool Exclusive(const boost::json::value& a, const boost::json::value& b) const;
  // Takes `steps` from the effort; an error where nothing is left.
  Result<void> Spend(size_t steps, const std::string& path) const;
  bool Apart(std::span<const boost::json::value> a, std::span<const boost::json::value> b) const;
  // schema_judge.cc: whether a value that is known keeps to a schema; no answer where in doubt.
  using Verdict = std::optional<bool>;
  Verdict Judge(const boost::json::value& value, const boost::json::value& schema, int depth = 0) const;
  Verdict JudgeAll(const boost::json::value& value, const Object& schema, int depth,
                   std::string_view without = {}) const;
  Verdict JudgeKeyword(const boost::json::value& value, std::string_view keyword, const Object& schema,
                       int depth) const;
  Verdict JudgeText(std::string_view value, std::string_view keyword, const Object& schema) const;
  Verdict JudgeItems(const Array& value, std::string_view keyword, const Object& schema, int depth) const;
  Verdict JudgeProperties(const Object& value, std::string_view keyword, const Object& schema,
                          int depth) const;
  // The leaf that lists the value is not asked whether it does.
  bool Fits(const boost::json::value& value, const Leaf& leaf, bool listed_there = false) const;

  Grammar& g_;
  const boost::json::value& root_;
  std::map<std::vector<const void*>, StateId> rules_;
  std::deque<boost::json::value> made_;  // schemas that stand for others; addresses stay
  int depth_ = 0;
  size_t schemas_ = 0;
  int64_t& effort_;  // so that no schema takes long
};

// A keyword that is there, else null.
const boost::json::value* Find(const boost::json::object& schema, std::string_view keyword);
// Annotations say nothing about values; everything else does.
bool IsAnnotation(std::string_view keyword);
// What `type` says; kAnyType where it is absent.
Types StatedTypes(const boost::json::object& schema);
// The type that the other keywords speak of; kAnyType where there are none.
Types ImpliedTypes(const boost::json::object& schema);
Types TypeOf(const boost::json::value& value);
// By JSON Schema's measure: 1 and 1.0 are the same.
bool Same(const boost::json::value& a, const boost::json::value& b);
// The value as people write it: 0.5, where the library has 5E-1.
std::string Spelled(const boost::json::value& value);
// The only values that a schema lists by itself; null: it does not.
std::optional<std::span<const boost::json::value>> ListedIn(const boost::json::object& schema);
// The values that a leaf excludes one by one.
std::span<const boost::json::value> ExcludedBy(const Leaf& leaf);
// What it costs to compare a value.
size_t WeightOf(const boost::json::value& value);

}  // namespace portcullis::inference::grammar
