// portcullis policy keygen | propose | approve | apply | keep | rollback | withdraw | log | show:
// revisions of the policy of a running gateway. Officers sign here, with a key that the gateway
// never sees; the gateway's revision store decides. What is approved is what this program has
// hashed.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "gateway/cli/policy_remote.h"
#include "gateway/decide/officer_key.h"
#include "policy/revise/describe.h"

namespace portcullis::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace revise = policy::revise;

struct Options {
  std::string socket, officer, key, out, why, hash;
  std::vector<std::string> folders;
  uint64_t number = 0;
  uint64_t valid_days = 7;
  std::string probation;
};

std::string Day(int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts));
}

// Words that somebody else chose, for a terminal: control characters cannot move its cursor.
std::string Printable(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// 90s, 15m, 2h or 1d.
std::optional<int64_t> Seconds(const std::string& text) {
  size_t used = 0;
  int64_t count = 0;
  try {
    count = std::stoll(text, &used);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (used + 1 != text.size() || count < 1 || count > 1'000'000) return std::nullopt;
  switch (text.back()) {
    case 's':
      return count;
    case 'm':
      return count * 60;
    case 'h':
      return count * 3600;
    case 'd':
      return count * 86400;
    default:
      return std::nullopt;
  }
}

void Keygen(Context& context, const Options& options) {
  if (context.dry_run) {
    std::cerr << "would create " << options.out << " and " << options.out << ".pub\n";
    return;
  }
  const auto key = gateway::MakeOfficerKey(options.out);
  if (!key) return Fail(context, kUsage, key.error().message);
  if (context.json) {
    std::cout << json::serialize(json::object{{"schema", "portcullis.policy.keygen/1"},
                                              {"secret", options.out},
                                              {"public", options.out + ".pub"},
                                              {"key", revise::KeyText(key.value())}})
              << '\n';
  } else {
    std::cerr << "created " << options.out << " (for the officer alone) and " << options.out
              << ".pub (for [[officer]] in the gateway's configuration)\n";
  }
}

// The body of an act: signed here, or left to the gateway for an officer who signs in.
std::optional<json::object> Signed(Context& context, const Options& options,
                                   const json::object& status, revise::Act act, uint64_t number,
                                   const revise::Hash& content) {
  if (options.key.empty()) {
    return json::object{{"officer", options.officer}, {"content_hash", revise::HashText(content)}};
  }
  const auto signer = gateway::LoadSigner(options.key, gateway::kOfficerKeyType);
  if (!signer) {
    Fail(context, kAuth, signer.error().message);
    return std::nullopt;
  }
  revise::Statement statement;
  statement.act = act;
  statement.store = TextIn(status, "store");
  statement.revision = number;
  statement.content = content;
  statement.officer = options.officer;
  statement.issued = NumberIn(status, "now");
  statement.expires = statement.issued + static_cast<int64_t>(options.valid_days) * 86400;
  return revise::ToJson(revise::SignStatement(statement, *signer.value(), false));
}

void Report(Context& context, const json::value& document, const std::string& words) {
  if (context.json)
    std::cout << json::serialize(document) << '\n';
  else
    std::cerr << words << '\n';
}

std::optional<revise::Content> ReadSets(Context& context, const Options& options,
                                        const json::object& status) {
  std::vector<revise::NamedContent> sets;
  for (const std::string& folder : options.folders) {
    auto content = revise::ReadContent(folder);
    if (!content) {
      Fail(context, kUsage, content.error().message);
      return std::nullopt;
    }
    const fs::path path = fs::path(folder).lexically_normal();
    const std::string name = path.has_filename() ? path.filename() : path.parent_path().filename();
    sets.push_back({options.folders.size() > 1 ? name : "", std::move(content.value())});
  }
  // A set's tests state what it does alone; among others it may be stricter, and rightly so.
  if (sets.size() > 1) {
    for (revise::NamedContent& set : sets) set.content.tests.clear();
    std::cerr << "the tests of the single sets are left out: they are about each set alone\n";
  }
  auto combined = revise::Combine(sets);
  if (!combined) {
    Fail(context, kNo, combined.error().message);
    return std::nullopt;
  }
  combined.value().facts = TextIn(status, "facts");
  return std::move(combined.value());
}

void Propose(Context& context, const Options& options) {
  if (options.number != 0 && options.key.empty()) {
    return Fail(context, kUsage,
                "--revision needs --key: by sign-in a new revision is proposed; withdraw the open "
                "one, and propose again");
  }
  const auto status = PolicyStatus(context, options.socket);
  if (!status) return;
  const auto content = ReadSets(context, options, *status);
  if (!content) return;
  const revise::CheckReport report = revise::Check(*content);
  for (const std::string& warning : report.warnings) std::cerr << "warning: " << warning << '\n';
  for (const std::string& error : report.errors) std::cerr << error << '\n';
  if (!report.ok())
    return Fail(context, kNo, "the policy set was not proposed: it does not pass its checks");
  const uint64_t number =
      options.number != 0 ? options.number : static_cast<uint64_t>(NumberIn(*status, "next"));
  const revise::Hash hash = revise::HashOf(*content);
  const std::string what = ", " + revise::HashText(hash) + ", " + report.Summary();
  if (context.dry_run) {
    std::cerr << "would propose revision " << number << what << '\n';
    return;
  }
  auto body = Signed(context, options, *status, revise::Act::kPropose, number, hash);
  if (!body) return;
  (*body)["content"] = revise::ToJson(*content);
  const RemoteAnswer answer =
      CallGateway(context, options.socket, "POST", "/admin/v1/policy/revisions", *body);
  if (!answer.ok) return;
  // By sign-in the gateway chooses the number.
  const int64_t given = NumberIn(answer.document.as_object(), "number");
  Report(context, answer.document, "proposed revision " + std::to_string(given) + what +
                                       "; another officer must approve it");
}

// approve, apply, keep, rollback, withdraw
void Perform(Context& context, const Options& options, revise::Act act) {
  const auto status = PolicyStatus(context, options.socket);
  if (!status) return;
  const uint64_t number =
      options.number != 0 ? options.number : static_cast<uint64_t>(NumberIn(*status, "in_force"));
  const auto revision = FetchRevision(context, options.socket, number);
  if (!revision) return;
  const std::string name = "revision " + std::to_string(number);
  const std::string phase = TextIn(revision->about, "phase");
  if (act == revise::Act::kApply &&
      (phase == "draft" || phase == "checked" || phase == "proposed")) {
    return Fail(context, kWaiting,
                name + " is " + phase + " and waits for the approval of another officer");
  }
  const revise::Hash hash = revise::HashOf(revision->content);
  if (act == revise::Act::kApprove && options.hash != revise::HashText(hash)) {
    return Fail(context, kNo,
                name +
                    " has another content than the one named by --hash; read it again with "
                    "`policy diff " +
                    std::to_string(number) + "`");
  }
  if (context.dry_run) {
    std::cerr << "would " << revise::NameOf(act) << ' ' << name << ", " << revise::HashText(hash)
              << '\n';
    return;
  }
  auto body = Signed(context, options, *status, act, number, hash);
  if (!body) return;
  if (!options.why.empty()) (*body)["why"] = options.why;
  if (!options.probation.empty()) {
    const auto seconds = Seconds(options.probation);
    if (!seconds)
      return Fail(context, kUsage, "--probation takes a number and s, m, h or d, like 2h");
    (*body)["probation_seconds"] = *seconds;
  }
  const RemoteAnswer answer = CallGateway(context, options.socket, "POST",
                                          "/admin/v1/policy/revisions/" + std::to_string(number) +
                                              "/" + std::string(revise::NameOf(act)),
                                          *body);
  if (!answer.ok) return;
  const json::object& about = answer.document.as_object();
  std::string words = name + " is " + TextIn(about, "phase") + "; revision " +
                      std::to_string(NumberIn(about, "in_force")) + " is in force";
  if (TextIn(about, "phase") == "probation") {
    words += ", until " + Day(NumberIn(about, "probation_until")) + " unless it is kept";
  }
  Report(context, answer.document, words);
}

void Log(Context& context, const Options& options) {
  const auto status = PolicyStatus(context, options.socket);
  if (!status) return;
  if (context.json) {
    std::cout << json::serialize(*status) << '\n';
    return;
  }
  for (const json::value& item : status->at("events").as_array()) {
    const json::object& event = item.as_object();
    std::string line = Day(NumberIn(event, "time")) + "  revision " +
                       std::to_string(NumberIn(event, "revision")) + "  " + TextIn(event, "event") +
                       " by " + TextIn(event, "actor") + "  " +
                       TextIn(event, "content").substr(0, 19);
    if (NumberIn(event, "until") != 0) line += "  until " + Day(NumberIn(event, "until"));
    if (!TextIn(event, "detail").empty()) line += "  (" + TextIn(event, "detail") + ")";
    std::cout << Printable(std::move(line)) << '\n';
  }
  std::cout << "revision " << NumberIn(*status, "in_force") << " is in force\n";
  for (const json::value& complaint : status->at("complaints").as_array()) {
    std::cerr << "warning: " << complaint.as_string() << '\n';
  }
}

bool WriteText(Context& context, const fs::path& file, const std::string& text) {
  std::error_code error;
  if (fs::exists(file, error)) {
    Fail(context, kNo, file.string() + ": two files of the revision would have this name");
    return false;
  }
  fs::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) Fail(context, kUsage, file.string() + ": cannot be written");
  return static_cast<bool>(out);
}

void PrintRevision(const json::object& about) {
  std::cout << "revision " << NumberIn(about, "number") << ", " << TextIn(about, "phase") << "\ncontent "
            << TextIn(about, "content") << "\nby " << Printable(TextIn(about, "author")) << ", " << Day(NumberIn(about, "created"))
            << '\n';
  for (const auto& [name, words] : {std::pair("proposed", "proposed "), {"activated", "put in force "},
                                    {"probation_until", "on probation until "}, {"replaced", "replaced "}}) {
    if (const int64_t time = NumberIn(about, name); time != 0) std::cout << words << Day(time) << '\n';
  }
  const json::value* approvals = about.if_contains("approvals");
  for (const json::value& value : approvals != nullptr && approvals->is_array() ? approvals->get_array() : json::array()) {
    const json::object* one = value.if_object();
    if (one == nullptr) continue;
    std::cout << "approved by " << Printable(TextIn(*one, "officer")) << ", " << Day(NumberIn(*one, "time"))
              << ", until " << Day(NumberIn(*one, "expires")) << '\n';
  }
  if (const std::string detail = TextIn(about, "detail"); !detail.empty()) std::cout << Printable(detail) << '\n';
}

void Show(Context& context, const Options& options) {
  const auto revision = FetchRevision(context, options.socket, options.number);
  if (!revision) return;
  if (context.json) std::cout << json::serialize(revision->about) << '\n';
  else PrintRevision(revision->about);
  if (options.out.empty()) return;
  const fs::path folder = options.out;
  if (fs::exists(folder)) return Fail(context, kUsage, options.out + " is there already");
  bool good = WriteText(context, folder / "schema.cedarschema", revision->content.schema) &&
              WriteText(context, folder / "entities.json", revision->content.entities);
  for (const auto& file : revision->content.policies) {
    std::string name = file.name;  // of a combined revision: set/policy.cedar
    std::replace(name.begin(), name.end(), '/', '-');
    if (!name.ends_with(".cedar")) name += ".cedar";  // or no command would read it
    good = good && WriteText(context, folder / name, file.text);
  }
  for (const auto& file : revision->content.tests) {
    good = good && WriteText(context, folder / "tests" / fs::path(file.name).filename(), file.text);
  }
}

void AddOfficer(CLI::App& command, Options& options) {
  AddSocketOption(command, options.socket);
  command.add_option("--officer", options.officer, "who acts, as named in the configuration")
      ->envname("PORTCULLIS_OFFICER")
      ->required();
  command.add_option("--key", options.key, "the officer's secret key file; without: by sign-in")
      ->envname("PORTCULLIS_OFFICER_KEY");
}

CLI::App* AddAct(CLI::App& policy, Context& context, const std::shared_ptr<Options>& options,
                 revise::Act act, const std::string& help, bool number_required) {
  CLI::App* command = policy.add_subcommand(std::string(revise::NameOf(act)), help);
  AddOfficer(*command, *options);
  auto* number = command->add_option("revision", options->number, "its number");
  if (number_required) number->required();
  command->callback([&context, options, act] { Perform(context, *options, act); });
  return command;
}

}  // namespace

void AddPolicyRevise(CLI::App& policy, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* keygen = policy.add_subcommand("keygen", "create an officer's key pair");
  keygen->add_option("--out", options->out, "secret key file; the public key goes to FILE.pub")
      ->required();
  keygen->callback([&context, options] { Keygen(context, *options); });

  CLI::App* propose = policy.add_subcommand("propose", "check a policy set and propose it");
  AddOfficer(*propose, *options);
  propose->add_option("folders", options->folders, "one set, or several to be combined")
      ->required();
  propose->add_option("--revision", options->number, "replace the content of this open revision (with --key)");
  propose->footer(
      "Example: portcullis policy propose policy/sets/default policy/sets/gdpr \\\n"
      "             --officer olga --key olga.key\n"
      "Exit codes: 0 proposed, 1 unusable input, 2 no gateway, 3 refused, 4 no key.");
  propose->callback([&context, options] { Propose(context, *options); });

  CLI::App* approve = AddAct(policy, context, options, revise::Act::kApprove,
                             "approve a proposal of another officer", true);
  approve
      ->add_option("--hash", options->hash,
                   "of the content that you have read, as `policy diff` and `policy show` print it")
      ->required();
  approve->footer(
      "An open revision may still be edited: approved is what --hash names, or nothing.\n"
      "Example: portcullis policy diff 7\n"
      "         portcullis policy approve 7 --hash sha256:… --officer paul --key paul.key\n"
      "Exit codes: 0 approved, 1 unusable input, 2 no gateway, 3 refused or another content, "
      "4 no key.");
  approve
      ->add_option("--valid-days", options->valid_days, "the approval expires after so many days")
      ->check(CLI::Range(1, 90))
      ->capture_default_str();
  CLI::App* apply = AddAct(policy, context, options, revise::Act::kApply,
                           "put an approved revision in force, on probation", true);
  apply->add_option("--probation", options->probation, "90s, 15m, 2h, 1d; default: the gateway's");
  apply->footer("Exit codes: 0 in force, 3 refused, 5 waits for approval.");
  AddAct(policy, context, options, revise::Act::kKeep, "end the probation: the revision stays",
         false);
  AddAct(policy, context, options, revise::Act::kRollback,
         "put back the revision before the one in force", false)
      ->add_option("--why", options->why, "words for the log");
  AddAct(policy, context, options, revise::Act::kWithdraw, "close a revision that is not in force",
         true)
      ->add_option("--why", options->why, "words for the log");

  CLI::App* log = policy.add_subcommand("log", "every change of policy, and what is in force");
  AddSocketOption(*log, options->socket);
  log->callback([&context, options] { Log(context, *options); });
  CLI::App* show = policy.add_subcommand("show", "one revision; --out writes its files");
  AddSocketOption(*show, options->socket);
  show->add_option("revision", options->number, "its number")->required();
  show->add_option("--out", options->out, "a new folder");
  show->callback([&context, options] { Show(context, *options); });
}

}  // namespace portcullis::cli
