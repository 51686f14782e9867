// Microseconds per Authorize on the shipped schema with 10, 100 and 1,000 policies, and for the
// ladder of 3 treatments over 5 sites. The request's caller stands in a store of its own, as in the
// gateway.
//   policy_bench FOLDER            FOLDER is policy/sets/default; every row is the best of five
//   runs
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: policy_bench policy/sets/default\n", stderr);
    return 1;
  }
  const std::filesystem::path dir = argv[1];
  const auto folder = cedar::LoadFolder(dir);
  const auto shipped = cedar::ReadTextFile(dir / "policy.cedar", cedar::kMaxPolicyText);
  if (!folder || !shipped) {
    std::fputs("the folder holds no usable policy set\n", stderr);
    return 1;
  }
  cedar::Entities base = folder.value().entities;
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
  if (!base.Close()) return 1;
  cedar::Entities own;
  const Value home = Value::Entity("Gw::Jurisdiction", "DE");
  own.Add({{"Gw::User", "erika"},
           {{"home", home}, {"citizenships", Value::Set({home})}, {"clearance", Value::Long(1)}},
           {{"Gw::Role", "staff"}, {"Gw::Department", "d7"}},
           {}});
  const cedar::Request request = Question();
  volatile bool sink = false;
  for (const size_t count : {size_t{10}, size_t{100}, size_t{1000}}) {
    const auto set = cedar::PolicySet::Parse(
        Rules(shipped.value(), folder.value().policies.size(), count), "bench");
    if (!set || !cedar::Authorize(set.value(), base, own, request).allow) return 1;
    const double once =
        BestMicroseconds([&] { sink = cedar::Authorize(set.value(), base, own, request).allow; });
    const double ladder = BestMicroseconds([&] {
      cedar::Request step = request;
      for (const char* site : {"s1", "s2", "s3", "s4", "builtin"}) {
        step.resource.id = site;
        for (const char* action : {"forward", "forwardPseudonymised", "forwardRedacted"}) {
          step.action.id = action;
          sink = cedar::Authorize(set.value(), base, own, step).allow;
        }
      }
    });
    std::printf("%5zu policies: %6.2f us a request, %7.2f us for 3 treatments x 5 sites\n",
                set.value().size(), once, ladder);
  }
  return 0;
}
