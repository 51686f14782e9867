// The work behind schema.h: one object a compilation. A schema that is referred to becomes a rule of
// its own the first time it is met, so that recursion ends. Errors name the path of the schema at
// fault, as a JSON Pointer (RFC 6901) with a leading #. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <vector>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

class SchemaCompiler {
 public:
  SchemaCompiler(Grammar& grammar, const boost::json::value& root) : g_(grammar), root_(root) {}

  Result<StateId> Value(const boost::json::value& schema, const std::string& path, StateId next);

 private:
  using Object = boost::json::object;

  Result<StateId> Schema(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Reference(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Choice(const Object& schema, const std::string& path, StateId next);
  Result<StateId> OfType(std::string_view type, const Object& schema, const std::string& path, StateId next);
  Result<StateId> Text(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Number(const Object& schema, bool whole, const std::string& path, StateId next);
  // In schema_structure.cc.
  Result<StateId> Map(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Properties(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Array(const Object& schema, const std::string& path, StateId next);
  Result<StateId> Tuple(const Object& schema, const std::string& path, StateId next);

  // In schema_check.cc: typed access, refusals, and whether two branches exclude each other.
  Result<void> CheckKeywords(const Object& schema, const std::string& path) const;
  Result<Counter> Limits(const Object& schema, const char* least, const char* most,
                         const std::string& path) const;
  Result<const boost::json::value*> Resolve(const Object& schema, const std::string& path) const;
  const Object& Followed(const boost::json::value& schema, int depth = 0) const;
  bool Exclusive(const boost::json::value& a, const boost::json::value& b) const;
  static Error At(const std::string& path, const std::string& what);

  Grammar& g_;
  const boost::json::value& root_;
  std::map<const boost::json::value*, StateId> rules_;
  int depth_ = 0;
  size_t schemas_ = 0;
};

// Annotations say nothing about values; everything else does.
bool IsAnnotation(std::string_view keyword);
// The types that `schema` names or implies; empty: any.
std::vector<std::string_view> TypesOf(const boost::json::object& schema);
// A keyword that is there, else null.
const boost::json::value* Find(const boost::json::object& schema, std::string_view keyword);

}  // namespace portcullis::inference::grammar
