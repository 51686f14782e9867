// What policies ask about a call, read from their syntax trees: for every input (`principal.home`,
// `context.subjects` …) the literals that stand beside it in the same comparison. The comparison of
// two sets varies exactly these inputs over exactly these values (enumerate.h). Text, comments and
// spelling play no part. Plain values; not for use by several threads while it reads.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/ast.h"
#include "policy/cedar/entities.h"

namespace portcullis::policy::revise {

using Names = std::set<std::string>;

// What stands beside one input.
struct Beside {
  std::set<int64_t> numbers;
  std::set<int64_t> times;  // ms since 1970
  std::set<int64_t> spans;  // ms
  std::set<cedar::IpRange> ranges;
  Names words;                         // strings, and for each pattern of `like` one that fits
  std::map<std::string, Names> ids;    // of each entity type
  std::map<std::string, Names> exact;  // those of them that are not asked for with `in` only
  std::map<std::string, std::set<Names>> together;  // ids that one policy may want all at once
  Names types;                                      // after `is`
  Names inputs;                                     // others in the same comparison

  void Join(const Beside& other);
};

class Speech {
 public:
  void Read(const cedar::Policy& policy);

  // Whether any policy asks for `input`, for a part of it or for the record that holds it.
  bool Has(std::string_view input) const;
  Beside Of(std::string_view input) const;
  // How each id of a type is named: alone, or in which lists. Ids named in the same ways only
  // cannot be told apart by their names.
  const std::map<std::string, Names>& NamingsOf(const std::string& type) const;
  Names NamedIds(const std::string& type) const;

 private:
  struct Comparison;
  using Wanted = std::map<std::string, std::map<std::string, Names>>;  // input → type → ids

  void ReadCondition(const cedar::Expr& expr, Wanted& wanted);
  void ReadComparison(const cedar::Expr& expr, Wanted& wanted);
  void Collect(const cedar::Expr& expr, Comparison& into);
  void AddLiteral(const cedar::Value& value, Comparison& into);
  void AddList(const std::vector<cedar::Value>& uids, Comparison& into);
  void Keep(const Comparison& comparison, Wanted& wanted);

  std::map<std::string, Beside> inputs_;
  std::map<std::string, std::map<std::string, Names>> namings_;  // type → id → how
  size_t lists_ = 0;
};

// Whether a policy's head lets it speak about the transfer of a text at all.
bool IsAboutTransfers(const cedar::Policy& policy, const cedar::Entities& entities);

// "principal.home" of an attribute chain that begins with a variable; empty for anything else.
std::string InputOf(const cedar::Expr& expr);

}  // namespace portcullis::policy::revise
