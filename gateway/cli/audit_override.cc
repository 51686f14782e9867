// `portcullis audit override`: going on after a refused start, or with another log key, by the keys of two officers.
// Works on the folders of a stopped auditd; nothing is changed before both have signed.
#include <memory>

#include "audit/file.h"
#include "audit/new_file.h"
#include "audit/override.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_acts.h"

namespace portcullis::cli {
namespace {

struct OverrideArguments {
  std::string log, keys, origin, reason, out, statement, officer;
};

void Prepare(Context& context, const OverrideArguments& arguments) {
  const auto statement = audit::PrepareOverride(arguments.log, arguments.origin, arguments.reason);
  if (!statement) return Fail(context, kUsage, statement.error().message);
  const auto put = audit::WriteNewFile(arguments.out, audit::OverrideText(statement.value()));
  if (!put) return Fail(context, kUsage, put.error().message);
  Answer(context, "portcullis.audit.override.prepare/1", {{"file", arguments.out}, {"origin", arguments.origin}},
         "two officers sign " + arguments.out + " (`override sign`), then `override apply`");
}

void Sign(Context& context, const OverrideArguments& arguments) {
  const auto text = audit::ReadFile(arguments.statement, audit::kMaxNote);
  if (!text) return Fail(context, kUsage, text.error().message);
  const auto note = audit::SignOverride(text.value(), arguments.officer);
  if (!note) return Fail(context, kUsage, note.error().message);
  const auto put = audit::ReplaceFile(arguments.statement, note.value(), true);
  if (!put) return Fail(context, kUsage, put.error().message);
  Answer(context, "portcullis.audit.override.sign/1", {{"file", arguments.statement}}, arguments.statement + " is signed");
}

void Apply(Context& context, const OverrideArguments& arguments) {
  const auto note = audit::ReadFile(arguments.statement, audit::kMaxNote);
  if (!note) return Fail(context, kUsage, note.error().message);
  const auto aside = audit::ApplyOverride(arguments.log, arguments.keys, note.value());
  if (!aside) return Fail(context, kNo, aside.error().message);
  Answer(context, "portcullis.audit.override.apply/1", {{"set_aside", aside.value().string()}},
         "the old log lies in " + aside.value().string() + "; the new one begins with the statement");
}

}  // namespace

void AddAuditOverride(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<OverrideArguments>();
  CLI::App* app = noun.add_subcommand("override", "go on after a refused start, by two officers' keys");
  app->require_subcommand(1);
  const auto add = [&](const char* name, const char* words, void (*run)(Context&, const OverrideArguments&)) {
    CLI::App* verb = app->add_subcommand(name, words);
    verb->callback([&context, arguments, run] {
      certs::InitSodium();
      run(context, *arguments);
    });
    return verb;
  };
  CLI::App* prepare = add("prepare", "write down what is found", Prepare);
  prepare->add_option("--log", arguments->log, "folder of the log")->required();
  prepare->add_option("--origin", arguments->origin, "name of the new log")->required();
  prepare->add_option("--reason", arguments->reason, "why, in one line")->required();
  prepare->add_option("--out", arguments->out, "the statement")->required();
  CLI::App* sign = add("sign", "sign a statement as an officer", Sign);
  sign->add_option("FILE", arguments->statement, "the statement")->required();
  sign->add_option("--officer-key", arguments->officer, "the officer's key file")->required();
  CLI::App* apply = add("apply", "set the old log aside and begin the new one", Apply);
  apply->add_option("FILE", arguments->statement, "the statement, signed by two")->required();
  apply->add_option("--log", arguments->log, "folder of the log")->required();
  apply->add_option("--keys", arguments->keys, "folder of the keys")->required();
}

}  // namespace portcullis::cli
