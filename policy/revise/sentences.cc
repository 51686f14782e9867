#include "policy/revise/sentences.h"

#include <algorithm>
#include <set>

namespace portcullis::policy::revise {
namespace {

std::string JoinWords(const std::vector<std::string>& words, std::string_view last = " or ") {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? std::string(last) : ", ";
    out += words[i];
  }
  return out;
}

// What is so of nearly every call is not repeated in every sentence.
constexpr std::pair<std::string_view, std::string_view> kUsual[] = {
    {"scan", "complete"}, {"left by the treatment", "nothing"}};

bool IsUsual(std::string_view name, const std::vector<std::string>& choices) {
  return std::ranges::any_of(kUsual, [&](const auto& usual) {
    return usual.first == name && choices.size() == 1 && choices[0] == usual.second;
  });
}

// "personal data of people in EEA to cloud-us, for hr"
std::string Where(const std::map<std::string, std::vector<std::string>>& where) {
  const auto said = [&](const char* name) -> const std::vector<std::string>* {
    const auto found = where.find(name);
    return found == where.end() ? nullptr : &found->second;
  };
  std::string out = said("class") ? JoinWords(*said("class"), " and ") : "any text";
  if (const auto* subject = said("subject")) out += " of people in " + JoinWords(*subject);
  if (const auto* site = said("site")) out += " to " + JoinWords(*site, " and ");
  if (const auto* home = said("home")) out += ", from callers in " + JoinWords(*home);
  for (const auto& [name, choices] : where) {
    if (name == "class" || name == "subject" || name == "site" || name == "home") continue;
    if (IsUsual(name, choices)) continue;
    out += ", " + name + " " + JoinWords(choices);
  }
  return out;
}

// All classes below Personal together are called what everybody calls them.
void NamePersonalData(const Side& side, std::vector<std::string>& classes) {
  std::vector<std::string> personal;
  for (const std::string& name : classes) {
    const auto* stored = side.compiled.entities.Find({"Gw::DataClass", name});
    if (stored == nullptr) continue;
    for (const cedar::Value& above : stored->ancestors) {
      if (above.entity().id == "Personal") personal.push_back(name);
    }
  }
  size_t all = 0;
  for (const cedar::EntityUid& uid : side.compiled.entities.Uids()) {
    const auto* stored = side.compiled.entities.Find(uid);
    if (uid.type != "Gw::DataClass") continue;
    all += std::ranges::any_of(stored->ancestors, [](const cedar::Value& above) {
      return above.entity().id == "Personal";
    });
  }
  if (personal.size() < 2 || personal.size() != all) return;
  std::erase_if(classes, [&](const std::string& name) {
    return std::ranges::find(personal, name) != personal.end();
  });
  classes.insert(classes.begin(), "personal data");
}

// A long list of places is told by what is missing in it, where that is shorter.
std::vector<std::string> AllBut(const Dimension& dimension, std::vector<std::string> labels) {
  std::vector<std::string> missing;
  for (const Choice& choice : dimension.choices) {
    if (std::ranges::find(labels, choice.label) == labels.end()) missing.push_back(choice.label);
  }
  if (missing.size() >= labels.size()) return labels;
  return {"all places but " + JoinWords(missing, " and ")};
}

}  // namespace

void JoinBoxes(std::vector<Box>& boxes, size_t dimensions) {
  for (size_t before = boxes.size() + 1; boxes.size() < before;) {
    before = boxes.size();
    for (size_t d = dimensions; d-- > 0;) {
      std::map<Box, std::set<uint16_t>> joined;
      for (Box& box : boxes) {
        std::vector<uint16_t> own = std::move(box[d]);
        box[d].clear();
        joined[std::move(box)].insert(own.begin(), own.end());
      }
      boxes.clear();
      for (const auto& [rest, choices] : joined) {
        Box box = rest;
        box[d].assign(choices.begin(), choices.end());
        boxes.push_back(std::move(box));
      }
    }
  }
}

Change ChangeOf(const Plan& plan, const Space& space, const Side& after, const Effect& effect,
                const Box& box) {
  Change change{{}, effect.before, effect.after, effect.policies, {}, 1};
  for (size_t d = 0; d < box.size(); ++d) {
    const Dimension& dimension = plan.dimensions[space.varied[d]];
    change.cells *= box[d].size();
    const bool everywhere = box[d].size() == dimension.choices.size();
    if (everywhere && dimension.name != "site") continue;
    std::vector<std::string>& labels = change.where[dimension.name];
    for (const uint16_t index : box[d]) labels.push_back(dimension.choices[index].label);
    const bool places = dimension.name == "subject" || dimension.name == "home";
    if (places && labels.size() > 3) labels = AllBut(dimension, labels);
    if (dimension.name == "class") NamePersonalData(after, labels);
  }
  change.words = Where(change.where) + ": " + effect.before + " → " + effect.after;
  if (!effect.policies.empty())
    change.words += ", by " + JoinWords(effect.policies, " and ");
  else
    change.words += ", as no rule permits more any longer";
  return change;
}

std::vector<std::string> UsualCases(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const auto& [name, choice] : kUsual) {
    const bool left_out = std::ranges::any_of(changes, [key = std::string(name)](const auto& one) {
      const auto said = one.where.find(key);
      return said != one.where.end() && IsUsual(key, said->second);
    });
    if (left_out) out.push_back(std::string(name) + " " + std::string(choice));
  }
  return out;
}

}  // namespace portcullis::policy::revise
