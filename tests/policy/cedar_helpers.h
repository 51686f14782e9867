// Shared by the tests of the policy language: one-line questions.
#pragma once

#include <string>

#include "policy/cedar/cedar.h"

namespace portcullis::policy::cedar {

enum class Answer { kTrue, kFalse, kError, kNoParse };
std::string NameOfAnswer(Answer answer);
inline void PrintTo(Answer answer, std::ostream* out) { *out << NameOfAnswer(answer); }

// What the condition of a lone permit comes to, for User::"alice", Action::"view", Photo::"sun".
// The store knows alice {age: 30, manager: User::"bob"} in Group::"staff" with tag dept = "ops".
Answer Ask(const std::string& condition);
// The error of parsing `text` as policies; empty when it parses.
std::string ParseError(const std::string& text);

Entities SmallStore();
Request SmallRequest();

}  // namespace portcullis::policy::cedar
