#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {

std::string NameOfAnswer(Answer answer) {
  switch (answer) {
    case Answer::kTrue:
      return "true";
    case Answer::kFalse:
      return "false";
    case Answer::kError:
      return "an error";
    case Answer::kNoParse:
      return "a parse error";
  }
  return "?";
}

Entities SmallStore() {
  Entities store;
  store.Add({{"User", "alice"},
             {{"age", Value::Long(30)}, {"manager", Value::Entity("User", "bob")}},
             {{"Group", "staff"}},
             {{"dept", Value::String("ops")}}});
  store.Add({{"Group", "staff"}, {}, {{"Group", "all"}}, {}});
  store.Add({{"Group", "all"}, {}, {}, {}});
  if (!store.Close()) return Entities();
  return store;
}

Request SmallRequest() {
  Request request;
  request.principal = {"User", "alice"};
  request.action = {"Action", "view"};
  request.resource = {"Photo", "sun"};
  request.context = Value::Record({{"n", Value::Long(1)}, {"r", Value::Record({})}});
  return request;
}

Answer Ask(const std::string& condition) {
  const Result<PolicySet> policies =
      PolicySet::Parse("permit(principal, action, resource) when { " + condition + " };", "test");
  if (!policies) return Answer::kNoParse;
  const Response response = Authorize(policies.value(), SmallStore(), SmallRequest());
  if (!response.errors.empty()) return Answer::kError;
  return response.allow ? Answer::kTrue : Answer::kFalse;
}

std::string ParseError(const std::string& text) {
  const Result<PolicySet> policies = PolicySet::Parse(text, "p.cedar");
  return policies ? "" : policies.error().message;
}

}  // namespace portcullis::policy::cedar
