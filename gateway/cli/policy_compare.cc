// portcullis policy diff | whatif: what a policy set would change, before anybody approves it.
// `diff` compares two sets over all kinds of call; `whatif` asks a set about recorded decisions
// again. Both compute here; a gateway is asked only for revisions that are named by number.
#include <boost/json/serialize.hpp>
#include <ctime>
#include <deque>
#include <fstream>
#include <iostream>

#include "gateway/cli/policy_remote.h"
#include "policy/revise/diff.h"
#include "policy/revise/replay.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
namespace revise = policy::revise;

struct DiffOptions {
  std::string socket, before = "in-force", after, at;
};

void Diff(Context& context, const DiffOptions& options) {
  const auto before = FindSet(context, options.socket, options.before);
  if (!before) return;
  auto after = FindSet(context, options.socket, options.after);
  if (!after) return;
  // A folder has no facts of a configuration; it would run with those of the other side.
  if (after->folder && after->content.facts.empty() && !before->content.facts.empty()) {
    after->content.facts = before->content.facts;
    auto compiled = revise::Compiled::Make(after->content);
    if (!compiled) return Fail(context, kNo, after->name + ": " + compiled.error().message);
    after->compiled = std::move(compiled.value());
  }
  const revise::DiffReport report =
      revise::Compare({before->content, *before->compiled}, {after->content, *after->compiled},
                      static_cast<int64_t>(std::time(nullptr)) * 1000);
  if (context.json) {
    json::object document = revise::ToJson(report);
    document["from"] = {{"set", before->name},
                        {"content", revise::HashText(revise::HashOf(before->content))}};
    document["to"] = {{"set", after->name},
                      {"content", revise::HashText(revise::HashOf(after->content))}};
    std::cout << json::serialize(document) << '\n';
  } else {
    std::cerr << "from " << before->name << " to " << after->name << ":\n";
    std::cout << revise::ToText(report);
  }
}

struct WhatIfOptions {
  std::string socket, draft, facts = "-", against;
  size_t last = 0;
};

void WhatIf(Context& context, const WhatIfOptions& options) {
  const auto draft = FindSet(context, options.socket, options.draft);
  if (!draft) return;
  std::shared_ptr<const revise::Compiled> baseline;
  if (!options.against.empty()) {
    const auto set = FindSet(context, options.socket, options.against);
    if (!set) return;
    baseline = set->compiled;
  }
  std::ifstream file;
  if (options.facts != "-") {
    file.open(options.facts, std::ios::binary);
    if (!file) return Fail(context, kUsage, options.facts + ": cannot be opened");
  }
  std::istream& input = options.facts == "-" ? std::cin : file;
  revise::Replay replay(draft->compiled, baseline);
  std::string line;
  if (options.last > 0) {
    std::deque<std::string> tail;
    while (std::getline(input, line)) {
      tail.push_back(std::move(line));
      if (tail.size() > options.last) tail.pop_front();
    }
    for (const std::string& kept : tail) replay.AddLine(kept);
  } else {
    while (std::getline(input, line)) replay.AddLine(line);
  }
  const revise::ReplayReport& report = replay.report();
  if (context.json) {
    std::cout << json::serialize(revise::ToJson(report)) << '\n';
  } else {
    std::cout << revise::ToText(report);
  }
  if (report.replayed == 0) {
    Fail(context, kUsage,
         "no recorded decision was found in the input; give JSON lines of "
         "DECISION records with their content, or decision facts");
  }
}

}  // namespace

void AddPolicyCompare(CLI::App& policy, Context& context) {
  auto compare = std::make_shared<DiffOptions>();
  CLI::App* diff = policy.add_subcommand("diff", "what a policy set changes, in words");
  AddSocketOption(*diff, compare->socket);
  diff->add_option("set", compare->after, "the new set: a revision's number or a folder")
      ->required();
  diff->add_option("--from", compare->before, "the old set: a number, a folder, or in-force")
      ->capture_default_str();
  diff->footer(
      "Examples:\n  portcullis policy diff 7   (prints the hash that `policy approve 7` asks for)\n"
      "  portcullis policy diff policy/sets/gdpr --from policy/sets/default\n"
      "Exit codes: 0 compared, 1 unusable input, 2 no gateway, 3 a set is not valid.");
  diff->callback([&context, compare] { Diff(context, *compare); });

  auto asked = std::make_shared<WhatIfOptions>();
  CLI::App* whatif = policy.add_subcommand("whatif", "ask a policy set about recorded decisions");
  AddSocketOption(*whatif, asked->socket);
  whatif->add_option("set", asked->draft, "the set: a revision's number or a folder")->required();
  whatif
      ->add_option("--facts", asked->facts,
                   "JSON lines: DECISION records with content, or decision facts; - is standard "
                   "input")
      ->capture_default_str();
  whatif->add_option("--last", asked->last, "only the last N lines");
  whatif->add_option("--against", asked->against,
                     "for facts without a recorded outcome: the set to compare with");
  whatif->footer(
      "Example: portcullis policy whatif 7 --facts decisions.jsonl\n"
      "Exit codes: 0 asked, 1 unusable input, 2 no gateway, 3 the set is not valid.");
  whatif->callback([&context, asked] { WhatIf(context, *asked); });
}

}  // namespace portcullis::cli
