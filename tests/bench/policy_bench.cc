// Microseconds per decision on the shipped schema with 10, 100 and 1,000 policies, and for the
// ladder of 3 treatments over 5 sites. The request's caller stands in a store of its own, as in the
// gateway. "decide" asks with values made beforehand, "authorize" makes them and names the
// policies.
//   policy_bench FOLDER            FOLDER is policy/sets/default; every row is the best of five
//   policy_bench FOLDER --json     the same as JSON (decide only)
//   policy_bench FOLDER --print N  the rules of the row with N policies
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "policy/cedar/cedar.h"
#include "policy/cedar/folder.h"

namespace {

namespace cedar = portcullis::policy::cedar;
using cedar::Value;

// The shipped rules, then rules for single departments and sites until there are `count`.
std::string Rules(const std::string& shipped, size_t shipped_count, size_t count) {
  std::string text = shipped;
  for (size_t i = shipped_count; i < count; ++i) {
    const std::string number = std::to_string(i);
    switch (i % 4) {
      case 0:
        text += "permit(principal in Gw::Department::\"d" + number +
                "\", action == Gw::Action::\"forward\", resource == Gw::Backend::\"b" + number +
                "\") when { context.detected.isEmpty() && context.topSeverity < 3 };\n";
        break;
      case 1:
        text += "permit(principal is Gw::User in Gw::Department::\"d" + number +
                "\", action in Gw::Action::\"transfer\", resource in Gw::Pool::\"p" + number +
                "\") when { resource.processing in principal.home };\n";
        break;
      case 2:
        text +=
            "forbid(principal, action in Gw::Action::\"transfer\", resource == Gw::Backend::\"b" +
            number +
            "\") unless { resource has tiaValidUntil && context.now < "
            "resource.tiaValidUntil };\n";
        break;
      default:
        text += "forbid(principal == Gw::User::\"u" + number +
                "\", action, resource) when { context.device.government };\n";
    }
  }
  return text;
}

cedar::Request Question() {
  cedar::Request request;
  request.principal = {"Gw::User", "erika"};
  request.action = {"Gw::Action", "forward"};
  request.resource = {"Gw::Backend", "builtin"};
  const Value place = Value::Entity("Gw::Jurisdiction", "DE");
  request.context =
      Value::Record({{"detected", Value::Set({Value::Entity("Gw::DataClass", "Contact")})},
                     {"leaving", Value::Set({Value::Entity("Gw::DataClass", "Contact")})},
                     {"topSeverity", Value::Long(1)},
                     {"scanComplete", Value::Bool(true)},
                     {"subject", Value::Set({place})},
                     {"subjects", Value::Long(1)},
                     {"subjectsYtd", Value::Long(10)},
                     {"clientIp", Value::ParseIp("10.1.2.3").value()},
                     {"zone", Value::Entity("Gw::Zone", "office")},
                     {"device", Value::Record({{"managed", Value::Bool(true)},
                                               {"government", Value::Bool(false)},
                                               {"jurisdiction", place}})},
                     {"purpose", Value::Entity("Gw::Purpose", "other")},
                     {"now", Value::Datetime(1'772'355'600'000)}});
  return request;
}

template <class Work>
double BestMicroseconds(Work&& work) {
  constexpr int kRuns = 5;
  constexpr int kRepeats = 20'000;
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRepeats; ++i) work();
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / kRepeats);
  }
  return best;
}

// The shipped entities and four sites abroad.
std::optional<cedar::Entities> Store(cedar::Entities base) {
  for (const char* site : {"s1", "s2", "s3", "s4"}) {
    const Value place = Value::Entity("Gw::Jurisdiction", "US");
    base.Add({{"Gw::Backend", site},
              {{"processing", place},
               {"storage", place},
               {"operator", place},
               {"keyHolder", place},
               {"modelOrigin", place},
               {"onPrem", Value::Bool(false)},
               {"dpaSigned", Value::Bool(true)},
               {"zeroRetention", Value::Bool(true)},
               {"retentionDays", Value::Long(0)}},
              {},
              {}});
  }
  if (!base.Close()) return std::nullopt;
  return base;
}

cedar::Entities Caller() {
  cedar::Entities own;
  const Value home = Value::Entity("Gw::Jurisdiction", "DE");
  own.Add({{"Gw::User", "erika"},
           {{"home", home}, {"citizenships", Value::Set({home})}, {"clearance", Value::Long(1)}},
           {{"Gw::Role", "staff"}, {"Gw::Department", "d7"}},
           {}});
  return own;
}

struct Row {
  size_t policies = 0;
  double decide = 0;
  double authorize = 0;
  double ladder = 0;
};

Row Measure(const cedar::PolicySet& set, const cedar::Entities& base, const cedar::Entities& own) {
  const cedar::Request request = Question();
  const cedar::EntityView view(base, &own);
  std::vector<cedar::Question> steps;
  for (const char* site : {"s1", "s2", "s3", "s4", "builtin"}) {
    for (const char* action : {"forward", "forwardPseudonymised", "forwardRedacted"}) {
      cedar::Request step = request;
      step.resource.id = site;
      step.action.id = action;
      steps.push_back(cedar::Question::Of(step));
    }
  }
  const cedar::Question question = cedar::Question::Of(request);
  cedar::Decision decision;
  volatile bool sink = false;
  Row row;
  row.policies = set.size();
  row.decide = BestMicroseconds([&] {
    cedar::Decide(set, view, question, decision);
    sink = decision.allow;
  });
  row.authorize = BestMicroseconds([&] { sink = cedar::Authorize(set, base, own, request).allow; });
  row.ladder = BestMicroseconds([&] {
    for (const cedar::Question& step : steps) {
      cedar::Decide(set, view, step, decision);
      sink = decision.allow;
    }
  });
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[2] : "";
  if (argc < 2) {
    std::fputs("usage: policy_bench policy/sets/default [--json | --print N]\n", stderr);
    return 1;
  }
  const std::filesystem::path dir = argv[1];
  const auto folder = cedar::LoadFolder(dir);
  const auto shipped = cedar::ReadTextFile(dir / "policy.cedar", cedar::kMaxPolicyText);
  if (!folder || !shipped) {
    std::fputs("the folder holds no usable policy set\n", stderr);
    return 1;
  }
  const size_t shipped_count = folder.value().policies.size();
  if (mode == "--print" && argc > 3) {
    std::fputs(Rules(shipped.value(), shipped_count, std::strtoul(argv[3], nullptr, 10)).c_str(),
               stdout);
    return 0;
  }
  const std::optional<cedar::Entities> base = Store(folder.value().entities);
  if (!base) return 1;
  const cedar::Entities own = Caller();
  std::vector<Row> rows;
  for (const size_t count : {size_t{10}, size_t{100}, size_t{1000}}) {
    const auto set = cedar::PolicySet::Parse(Rules(shipped.value(), shipped_count, count), "bench");
    if (!set || !cedar::Authorize(set.value(), *base, own, Question()).allow) return 1;
    rows.push_back(Measure(set.value(), *base, own));
  }
  if (mode == "--json") std::printf("[");
  for (const Row& row : rows) {
    if (mode == "--json") {
      std::printf("%s{\"policies\":%zu,\"once\":%.3f,\"ladder\":%.3f}",
                  row.policies == rows[0].policies ? "" : ",", row.policies, row.decide,
                  row.ladder);
    } else {
      std::printf("%5zu policies: decide %6.2f us, authorize %6.2f us, 3 x 5 ladder %7.2f us\n",
                  row.policies, row.decide, row.authorize, row.ladder);
    }
  }
  if (mode == "--json") std::printf("]\n");
  return 0;
}
