#include "policy/revise/dimensions.h"

#include <algorithm>
#include <limits>

namespace portcullis::policy::revise {
namespace {

constexpr const char* kClass = "Gw::DataClass";
constexpr const char* kPlace = "Gw::Jurisdiction";
constexpr size_t kPairsUpTo = 4;  // of so many ids wanted at once, every pair is tried too

void Nothing(DecisionFacts&) {}

using IdList = std::vector<std::string> DecisionFacts::*;

class Builder {
 public:
  Builder(const Side& before, const Side& after, const Speech& speech, int64_t now_ms)
      : before_(before), after_(after), speech_(speech), now_ms_(now_ms) {}

  Dimensions Build() {
    AddStart();
    AddCaller();
    AddPlaces();
    AddSites();
    AddIds("purpose", "context.purpose", &DecisionFacts::purpose, Purposes());
    AddMemberships("department", "Gw::Department", &DecisionFacts::departments, "no department");
    AddMemberships("role", "Gw::Role", &DecisionFacts::roles, "no such role");
    AddFlag("device", "context.device.managed", &DecisionFacts::device_managed, "managed",
            "unmanaged");
    AddFlag("device of a government", "context.device.government",
            &DecisionFacts::device_government, "yes", "no");
    AddNumber("people", "context.subjects", &DecisionFacts::subjects, 0, 1, true);
    AddNumber("people this year", "context.subjectsYtd", &DecisionFacts::subjects_ytd, 0, 1, true);
    AddNumber("severity", "context.topSeverity", &DecisionFacts::top_severity, kLowest, 0, false);
    AddNumber("clearance", "principal.clearance", &DecisionFacts::clearance, kLowest, 0, false);
    AddIds("zone", "context.zone", &DecisionFacts::zone, Zones());
    AddFlag("scan", "context.scanComplete", &DecisionFacts::scan_complete, "complete",
            "incomplete");
    AddLeaving();
    AddAddresses();
    AddTimes();
    AddWords("legal basis", "context.legalBasis", &DecisionFacts::legal_basis);
    AddWords("consent", "context.consentRef", &DecisionFacts::consent_ref);
    return std::move(out_);
  }

 private:
  static constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();

  void Add(std::string name, std::vector<std::string> inputs, std::vector<Choice> choices) {
    if (choices.size() < 2 && name != "site") return;
    if (choices.size() > kMaxChoices) {
      out_.too_many.push_back(std::move(name));
      return;
    }
    out_.all.push_back({std::move(name), std::move(inputs), std::move(choices)});
  }

  void AddStart() {
    const Names sites = IdsOf(before_, after_, "Gw::Backend");
    Choice start;
    start.apply = [now = now_ms_,
                   site = sites.empty() ? "nowhere" : *sites.begin()](DecisionFacts& facts) {
      facts.home = facts.device_jurisdiction = "local";
      facts.device_managed = true;
      facts.sites = {site};
      facts.now_ms = now;
    };
    out_.all.push_back({"", {}, {std::move(start)}});
  }

  void AddCaller() {
    std::vector<Choice> choices;
    const bool kinds = !speech_.Of("principal").types.empty() ||
                       speech_.Has("principal.citizenships") ||
                       !speech_.NamedIds("Gw::Workload").empty();
    for (const bool workload : {false, true}) {
      if (workload && !kinds) continue;
      const char* type = workload ? "Gw::Workload" : "Gw::User";
      for (const IdClass& ids : NamedClasses(before_, after_, speech_, type)) {
        const std::string kind = workload ? "application" : "user";
        const std::string id = ids.members.front();
        choices.push_back({!ids.label.empty() ? kind + " " + ids.label
                           : workload         ? "an application"
                                              : "a person",
                           {},
                           [id, workload](DecisionFacts& facts) {
                             facts.principal = id;
                             facts.workload = workload;
                           }});
      }
    }
    if (choices.size() == 1) {  // no dimension, but he needs a name
      out_.all.push_back({"", {}, std::move(choices)});
      return;
    }
    Add("caller", {"principal", "principal.citizenships"}, std::move(choices));
  }

  // One choice for each class of ids, and one for each set of ids that a policy may want at once.
  std::vector<Choice> Sets(
      const std::vector<IdClass>& classes, const Beside& beside, const std::string& type,
      const std::function<void(DecisionFacts&, std::vector<std::string>)>& apply) const {
    std::vector<Choice> choices;
    for (const IdClass& ids : classes) {
      if (ids.label.empty()) continue;
      choices.push_back(
          {ids.label, ids.members,
           [apply, id = ids.members.front()](DecisionFacts& facts) { apply(facts, {id}); }});
    }
    std::set<Names> together;
    if (const auto found = beside.together.find(type); found != beside.together.end()) {
      for (const Names& ids : found->second) {
        together.insert(ids);
        if (ids.size() < 3 || ids.size() > kPairsUpTo) continue;
        for (auto one = ids.begin(); one != ids.end(); ++one) {
          for (auto other = std::next(one); other != ids.end(); ++other) {
            together.insert({*one, *other});
          }
        }
      }
    }
    for (const Names& ids : together) {
      std::string label;
      for (const std::string& id : ids) label += (label.empty() ? "" : " with ") + id;
      choices.push_back({std::move(label),
                         {},
                         [apply, list = std::vector<std::string>(ids.begin(), ids.end())](
                             DecisionFacts& facts) { apply(facts, list); }});
    }
    return choices;
  }

  void AddPlaces() {
    const std::vector<IdClass> places = PlaceClasses(before_, after_, speech_);
    const auto set = [&](const char* input, IdList member, bool counts) {
      return Sets(places, speech_.Of(input), kPlace,
                  [member, counts](DecisionFacts& facts, std::vector<std::string> ids) {
                    facts.*member = std::move(ids);
                    if (!counts) return;
                    facts.subjects = facts.subjects_ytd =
                        static_cast<int64_t>(facts.subject.size());
                  });
    };
    std::vector<Choice> subjects = set("context.subject", &DecisionFacts::subject, true);
    subjects.insert(subjects.begin(), {"unknown places", {}, [](DecisionFacts& facts) {
                                         facts.subjects = facts.subjects_ytd = 1;
                                       }});
    Add("subject", {"context.subject"}, std::move(subjects));
    AddClasses();
    if (speech_.Has("principal.home")) {
      Add("home", {"principal.home"}, Places(places, &DecisionFacts::home, true));
    }
    if (speech_.Has("context.device.jurisdiction")) {
      Add("device in", {"context.device.jurisdiction"},
          Places(places, &DecisionFacts::device_jurisdiction, false));
    }
    if (speech_.Has("principal.citizenships")) {
      std::vector<Choice> of = set("principal.citizenships", &DecisionFacts::citizenships, false);
      of.insert(of.begin(), {"none known", {}, Nothing});
      Add("citizenship", {"principal.citizenships"}, std::move(of));
    }
  }

  static std::vector<Choice> Places(const std::vector<IdClass>& places,
                                    std::string DecisionFacts::*member, bool device_too) {
    std::vector<Choice> choices;
    for (const IdClass& place : places) {
      choices.push_back({place.label, place.members,
                         [member, device_too, id = place.members.front()](DecisionFacts& facts) {
                           facts.*member = id;
                           if (device_too) facts.device_jurisdiction = id;
                         }});
      if (std::ranges::find(place.members, "local") == place.members.end()) continue;
      std::rotate(choices.begin(), choices.end() - 1, choices.end());
    }
    return choices;
  }

  // A text without findings is about nobody, whatever the choice of places says.
  void AddClasses() {
    std::vector<IdClass> classes;
    Names groups;
    const Names all = IdsOf(before_, after_, kClass);
    for (const Side* side : {&before_, &after_}) {
      for (const std::string& id : all) {
        const auto* stored = side->compiled.entities.Find({kClass, id});
        if (stored == nullptr) continue;
        for (const cedar::Value& above : stored->ancestors) groups.insert(above.entity().id);
      }
    }
    Names leaves = speech_.Of("context.detected").exact[kClass];
    leaves.merge(speech_.Of("context.leaving").exact[kClass]);
    for (const std::string& id : all) {
      if (!groups.contains(id)) leaves.insert(id);
    }
    for (const std::string& id : leaves) classes.push_back({id, {id}});
    Beside beside = speech_.Of("context.detected");
    beside.Join(speech_.Of("context.leaving"));
    std::vector<Choice> choices =
        Sets(classes, beside, kClass, [](DecisionFacts& facts, std::vector<std::string> ids) {
          for (const std::string& id : ids) {
            if (id != kIrremovableClass) continue;
            facts.left_redacted = facts.left_pseudonymised = {id};
          }
          facts.detected = std::move(ids);
        });
    choices.insert(choices.begin(), {"texts without findings", {}, [](DecisionFacts& facts) {
                                       facts.subject.clear();
                                       facts.subjects = facts.subjects_ytd = 0;
                                     }});
    for (Choice& choice : choices) choice.members.clear();
    Add("class", {"context.detected", "context.leaving"}, std::move(choices));
  }

  void AddSites() {
    std::vector<Choice> choices;
    for (const std::string& id : IdsOf(before_, after_, "Gw::Backend")) {
      choices.push_back({id, {}, [id](DecisionFacts& facts) { facts.sites = {id}; }});
    }
    if (!choices.empty()) Add("site", {"resource"}, std::move(choices));
  }

  void AddIds(std::string name, const std::string& input, std::string DecisionFacts::*member,
              std::vector<Choice> choices) {
    if (!speech_.Has(input)) return;
    for (Choice& choice : choices) {
      choice.apply = [member, id = choice.members.front()](DecisionFacts& facts) {
        facts.*member = id;
      };
      choice.members.clear();
    }
    Add(std::move(name), {input}, std::move(choices));
  }

  std::vector<Choice> Purposes() const {
    std::vector<Choice> choices;
    const std::string usual = DecisionFacts().purpose;
    Names ids = speech_.NamedIds("Gw::Purpose");
    for (const Side* side : {&before_, &after_}) {
      if (const auto* type = side->compiled.schema.FindEntityType("Gw::Purpose")) {
        ids.insert(type->members.begin(), type->members.end());
      }
    }
    choices.push_back({usual, {usual}, {}});
    for (const std::string& id : ids) {
      if (id != usual) choices.push_back({id, {id}, {}});
    }
    return choices;
  }

  std::vector<Choice> Zones() const {
    std::vector<Choice> choices;
    for (const IdClass& ids : NamedClasses(before_, after_, speech_, "Gw::Zone")) {
      choices.push_back({ids.label.empty() ? "another" : ids.label, {ids.members.front()}, {}});
    }
    return choices;
  }

  void AddMemberships(std::string name, const std::string& type, IdList member,
                      const std::string& none) {
    std::vector<Choice> choices =
        Sets(NamedClasses(before_, after_, speech_, type), speech_.Of("principal"), type,
             [member](DecisionFacts& facts, std::vector<std::string> ids) {
               facts.*member = std::move(ids);
             });
    choices.insert(choices.begin(), {none, {}, Nothing});
    for (Choice& choice : choices) choice.members.clear();
    Add(std::move(name), {"principal"}, std::move(choices));
  }

  // The usual value is what DecisionFacts and AddStart say; the other choice is its opposite.
  void AddFlag(std::string name, const std::string& input, bool DecisionFacts::*member,
               const std::string& yes, const std::string& no) {
    if (!speech_.Has(input)) return;
    DecisionFacts usual;
    for (const Choice& choice : out_.all.front().choices) choice.apply(usual);
    const bool first = usual.*member;
    std::vector<Choice> choices;
    for (const bool value : {first, !first}) {
      choices.push_back(
          {value ? yes : no, {}, [member, value](DecisionFacts& facts) { facts.*member = value; }});
    }
    Add(std::move(name), {input}, std::move(choices));
  }

  void AddNumber(std::string name, const std::string& input, int64_t DecisionFacts::*member,
                 int64_t lowest, int64_t usual, bool of_findings) {
    if (!speech_.Has(input)) return;
    Add(std::move(name), {input},
        NumberChoices(speech_.Of(input), member, lowest, usual, of_findings));
  }

  void AddLeaving() {
    if (!speech_.Has("context.leaving")) return;
    std::vector<Choice> choices;
    choices.push_back({"nothing", {}, Nothing});
    choices.push_back({"everything", {}, [](DecisionFacts& facts) {
                         facts.left_redacted = facts.left_pseudonymised = facts.detected;
                       }});
    Add("left by the treatment", {"context.leaving"}, std::move(choices));
  }

  void AddAddresses() {
    const std::string input = "context.clientIp";
    if (!speech_.Has(input)) return;
    const Beside beside = speech_.Of(input);
    if (beside.ranges.size() > kMaxNetworks) {
      out_.too_many.emplace_back("address");
      return;
    }
    Add("address", {input}, AddressChoices(beside));
  }

  void AddTimes() {
    const std::string input = "context.now";
    if (!speech_.Has(input)) return;
    Beside beside = speech_.Of(input);
    const bool sites = std::ranges::any_of(
        beside.inputs, [](const std::string& name) { return name.starts_with("resource."); });
    if (sites) beside.times.merge(TimesOfSites(before_, after_));
    Add("time", {input}, TimeChoices(beside, now_ms_));
  }

  void AddWords(std::string name, const std::string& input,
                std::optional<std::string> DecisionFacts::*member) {
    if (!speech_.Has(input)) return;
    Add(std::move(name), {input}, WordChoices(speech_.Of(input), member));
  }

  const Side& before_;
  const Side& after_;
  const Speech& speech_;
  const int64_t now_ms_;
  Dimensions out_;
};

}  // namespace

Dimensions DimensionsOf(const Side& before, const Side& after, const Speech& speech,
                        int64_t now_ms) {
  return Builder(before, after, speech, now_ms).Build();
}

}  // namespace portcullis::policy::revise
