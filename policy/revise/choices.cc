#include "policy/revise/choices.h"

#include "policy/revise/regions.h"

namespace portcullis::policy::revise {

std::vector<Choice> NumberChoices(const Beside& beside, int64_t DecisionFacts::*member,
                                  int64_t lowest, int64_t usual, bool of_findings) {
  std::vector<Choice> choices;
  for (const Region& region : RegionsOf(beside.numbers, lowest, usual)) {
    const bool first = choices.empty();
    choices.push_back({region.words, {}, [=, value = region.value](DecisionFacts& facts) {
                         if (first || (of_findings && facts.detected.empty())) return;
                         facts.*member = value;
                       }});
  }
  return choices;
}

std::vector<Choice> AddressChoices(const Beside& beside) {
  std::vector<Choice> choices;
  for (const AddressRegion& region : AddressesOf(beside.ranges, DecisionFacts().client_ip)) {
    choices.push_back({region.words, {}, [address = region.address](DecisionFacts& facts) {
                         facts.client_ip = address;
                       }});
  }
  return choices;
}

std::vector<Choice> TimeChoices(const Beside& beside, int64_t now_ms) {
  constexpr int64_t kDay = 86'400'000;
  std::set<int64_t> spans = beside.spans;
  for (const int64_t number : beside.numbers) {  // compared with toDays(), toHours() …
    for (const int64_t unit : {int64_t{1000}, int64_t{60'000}, int64_t{3'600'000}, kDay}) {
      int64_t span = 0;
      if (!__builtin_mul_overflow(number, unit, &span)) spans.insert(span);
    }
  }
  std::set<int64_t> limits = beside.times;
  if (!spans.empty()) limits.insert(now_ms - now_ms % kDay);
  const std::set<int64_t> points = limits;
  for (const int64_t point : points) {
    for (const int64_t span : spans) {
      int64_t at = 0;
      if (!__builtin_add_overflow(point, span, &at)) limits.insert(at);
      if (!__builtin_sub_overflow(point, span, &at)) limits.insert(at);
    }
    if (limits.size() > kMaxChoices) break;
  }
  std::vector<Choice> choices;
  for (const Region& region : TimesOf(limits, now_ms)) {
    choices.push_back({choices.empty() ? "now" : region.words,
                       {},
                       [value = region.value](DecisionFacts& facts) { facts.now_ms = value; }});
  }
  return choices;
}

std::vector<Choice> WordChoices(const Beside& beside,
                                std::optional<std::string> DecisionFacts::*member) {
  std::string other = "another";
  while (beside.words.contains(other)) other += "-one";
  std::vector<Choice> choices;
  choices.push_back({"none", {}, [](DecisionFacts&) {}});
  choices.push_back({"any other", {}, [=](DecisionFacts& facts) { facts.*member = other; }});
  for (const std::string& word : beside.words) {
    choices.push_back(
        {word.empty() ? "empty" : word, {}, [=](DecisionFacts& facts) { facts.*member = word; }});
  }
  return choices;
}

}  // namespace portcullis::policy::revise
