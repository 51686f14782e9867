#include "policy/revise/facts_json.h"

#include <boost/json/array.hpp>
#include <functional>
#include <map>

namespace portcullis::policy::revise {
namespace {

namespace json = boost::json;

constexpr size_t kMaxList = 1024;
constexpr size_t kMaxName = 256;

json::array List(const std::vector<std::string>& names) {
  json::array out;
  out.reserve(names.size());
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

Error Wrong(std::string_view name, std::string_view expected) {
  return {Code::kJson,
          "decision facts: `" + std::string(name) + "` must be " + std::string(expected)};
}

Result<void> Read(const json::value& value, std::string_view name, std::string& out) {
  if (!value.is_string() || value.get_string().size() > kMaxName) {
    return Wrong(name, "a string of at most 256 bytes");
  }
  out = value.get_string();
  return boost::outcome_v2::success();
}

Result<void> Read(const json::value& value, std::string_view name,
                  std::optional<std::string>& out) {
  return Read(value, name, out.emplace());
}

Result<void> Read(const json::value& value, std::string_view name, bool& out) {
  if (!value.is_bool()) return Wrong(name, "true or false");
  out = value.get_bool();
  return boost::outcome_v2::success();
}

Result<void> Read(const json::value& value, std::string_view name, int64_t& out) {
  if (!value.is_int64()) return Wrong(name, "an integer");
  out = value.get_int64();
  return boost::outcome_v2::success();
}

Result<void> Read(const json::value& value, std::string_view name, std::vector<std::string>& out) {
  if (!value.is_array() || value.get_array().size() > kMaxList) {
    return Wrong(name, "a list of strings");
  }
  for (const json::value& item : value.get_array()) {
    BOOST_OUTCOME_TRY(Read(item, name, out.emplace_back()));
  }
  return boost::outcome_v2::success();
}

Result<void> ReadKind(const json::value& value, bool& workload) {
  if (!value.is_string() || (value.get_string() != "user" && value.get_string() != "workload")) {
    return Wrong("kind", "user or workload");
  }
  workload = value.get_string() == "workload";
  return boost::outcome_v2::success();
}

Result<void> ReadLadder(const json::value& value, std::vector<Treatment>& ladder) {
  std::vector<std::string> names;
  BOOST_OUTCOME_TRY(Read(value, "ladder", names));
  ladder.clear();
  for (const std::string& name : names) {
    const auto treatment = TreatmentFromString(name);
    if (!treatment || *treatment == Treatment::kRefused || ladder.size() == kLadder.size()) {
      return Wrong("ladder", "a list of forward, forwardPseudonymised, forwardRedacted");
    }
    ladder.push_back(*treatment);
  }
  return boost::outcome_v2::success();
}

using Reader = std::function<Result<void>(const json::value&, DecisionFacts&)>;

template <auto kMember>
std::pair<std::string_view, Reader> Plain(std::string_view name) {
  return {name, [name](const json::value& value, DecisionFacts& facts) {
            return Read(value, name, facts.*kMember);
          }};
}

const std::map<std::string_view, Reader>& Members() {
  using F = DecisionFacts;
  static const std::map<std::string_view, Reader> kMembers = {
      {"kind", [](const json::value& v, F& facts) { return ReadKind(v, facts.workload); }},
      {"ladder", [](const json::value& v, F& facts) { return ReadLadder(v, facts.ladder); }},
      Plain<&F::principal>("principal"),
      Plain<&F::home>("home"),
      Plain<&F::citizenships>("citizenships"),
      Plain<&F::departments>("departments"),
      Plain<&F::roles>("roles"),
      Plain<&F::clearance>("clearance"),
      Plain<&F::purpose>("purpose"),
      Plain<&F::sites>("sites"),
      Plain<&F::detected>("detected"),
      Plain<&F::left_pseudonymised>("left_pseudonymised"),
      Plain<&F::left_redacted>("left_redacted"),
      Plain<&F::top_severity>("top_severity"),
      Plain<&F::scan_complete>("scan_complete"),
      Plain<&F::subject>("subject"),
      Plain<&F::subjects>("subjects"),
      Plain<&F::subjects_ytd>("subjects_ytd"),
      Plain<&F::client_ip>("client_ip"),
      Plain<&F::zone>("zone"),
      Plain<&F::device_managed>("device_managed"),
      Plain<&F::device_government>("device_government"),
      Plain<&F::device_jurisdiction>("device_jurisdiction"),
      Plain<&F::now_ms>("now_ms"),
      Plain<&F::legal_basis>("legal_basis"),
      Plain<&F::consent_ref>("consent_ref"),
  };
  return kMembers;
}

}  // namespace

json::object ToJson(const DecisionFacts& facts) {
  json::object out{{"version", 1},
                   {"kind", facts.workload ? "workload" : "user"},
                   {"principal", facts.principal},
                   {"home", facts.home},
                   {"citizenships", List(facts.citizenships)},
                   {"departments", List(facts.departments)},
                   {"roles", List(facts.roles)},
                   {"clearance", facts.clearance},
                   {"purpose", facts.purpose},
                   {"sites", List(facts.sites)},
                   {"detected", List(facts.detected)},
                   {"left_pseudonymised", List(facts.left_pseudonymised)},
                   {"left_redacted", List(facts.left_redacted)},
                   {"top_severity", facts.top_severity},
                   {"scan_complete", facts.scan_complete},
                   {"subject", List(facts.subject)},
                   {"subjects", facts.subjects},
                   {"subjects_ytd", facts.subjects_ytd},
                   {"client_ip", facts.client_ip},
                   {"zone", facts.zone},
                   {"device_managed", facts.device_managed},
                   {"device_government", facts.device_government},
                   {"device_jurisdiction", facts.device_jurisdiction},
                   {"now_ms", facts.now_ms}};
  json::array& ladder = out["ladder"].emplace_array();
  for (const Treatment treatment : facts.ladder) ladder.emplace_back(ToString(treatment));
  if (facts.legal_basis) out["legal_basis"] = *facts.legal_basis;
  if (facts.consent_ref) out["consent_ref"] = *facts.consent_ref;
  return out;
}

Result<DecisionFacts> FactsFromJson(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return Error{Code::kJson, "decision facts must be a JSON object"};
  const json::value* version = object->if_contains("version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) {
    return Error{Code::kJson, "decision facts: `version` must be 1"};
  }
  DecisionFacts facts;
  facts.sites.clear();
  for (const auto& member : *object) {
    const std::string_view name = member.key();
    if (name == "version") continue;
    const auto reader = Members().find(name);
    if (reader == Members().end()) {
      return Error{Code::kJson, "decision facts: there is no member `" + std::string(name) + "`"};
    }
    BOOST_OUTCOME_TRY(reader->second(member.value(), facts));
  }
  if (facts.principal.empty() || facts.sites.empty()) {
    return Error{Code::kJson, "decision facts: `principal` and `sites` are required"};
  }
  return facts;
}

}  // namespace portcullis::policy::revise
