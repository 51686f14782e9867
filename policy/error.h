// What can go wrong in the policy island. Every fallible function here returns Result<T>; nothing
// throws. The numbers are stable: they appear in logs and in `--json` output, so never renumber.
//   1-19  text and data forms (policies, schemas, entities)    20-29  files and revisions
//   100+  classify and treat
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/try.hpp>
#include <string>

namespace portcullis::policy {

enum class Code : int {
  kSyntax = 1,       // policy or schema text that does not parse
  kTooDeep = 2,      // nesting beyond the limit
  kTooLarge = 3,     // text, number of policies or of entities beyond the limit
  kValue = 4,        // a literal out of range, a malformed ip, decimal, datetime or duration
  kJson = 5,         // JSON that does not parse, or not the expected form
  kEntity = 6,       // duplicate entity, cycle in the hierarchy
  kSchema = 7,       // a schema that contradicts itself
  kValidation = 8,   // policies, entities or a request that do not conform to the schema
  kUnsupported = 9,  // legal Cedar that this operation does not take (templates in a static set)
  kFile = 20,        // a file that cannot be read
  kTest = 21,        // a malformed test file
  kRevisionDamaged = 22,  // stored bytes that are not what was written or signed
  kRevisionState = 23,    // a step that the revision's state does not allow
  kNotEntitled = 24,      // signature, officer or right is missing, wrong or expired; own approval
  kStale = 25,            // a number that was overtaken or rolled back
  kStorage = 26,          // SQLite: disk, permissions, another program's file
  kDetector = 100,   // detector data that does not load
  kText = 101,       // text that cannot be scanned or treated
};

// `message` is for people: lower case, no full stop, says where and what was expected.
struct Error {
  Code code{};
  std::string message;
};

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::all_narrow>;

}  // namespace portcullis::policy
