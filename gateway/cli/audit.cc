// `portcullis audit`: init, keygen, verify. Reading is in audit_read.cc, audit_search.cc and audit_export.cc, acts of
// people in audit_acts.cc, the report in audit_report.cc. Works on folders; never through the gateway.

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "audit/layout.h"
#include "audit/progress.h"
#include "audit/verify.h"
#include "gateway/cli/audit_acts.h"
#include "gateway/cli/audit_read.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct AuditArguments {
  std::string log, keys, origin, auditor_public, officers, witnesses, out, folder, key_file;
  std::string kind = "auditor", name;
};

void Init(Context& context, const AuditArguments& arguments) {
  if (context.dry_run) {
    std::cerr << "would create " << arguments.log << " and " << arguments.keys << "\n";
    return;
  }
  const auto done =
      audit::InitLog({arguments.log, arguments.keys, arguments.origin, arguments.auditor_public,
                      arguments.officers, arguments.witnesses});
  if (!done) return Fail(context, kUsage, done.error().message);
  if (context.json) {
    std::cout << json::serialize(json::object{{"schema", "portcullis.audit.init/1"},
                                              {"log", arguments.log},
                                              {"keys", arguments.keys},
                                              {"origin", arguments.origin}})
              << "\n";
  } else {
    std::cerr << "created the log in " << arguments.log << " and its keys in " << arguments.keys << "\n";
  }
}

void Keygen(Context& context, const AuditArguments& arguments) {
  if (context.dry_run) {
    std::cerr << "would create " << arguments.out << " and " << arguments.out << ".pub\n";
    return;
  }
  const auto done = arguments.kind == "officer" ? audit::MakeOfficerKey(arguments.out, arguments.name)
                                                : audit::MakeAuditorKey(arguments.out);
  if (!done) return Fail(context, kUsage, done.error().message);
  if (context.json) {
    std::cout << json::serialize(json::object{{"schema", "portcullis.audit.keygen/1"},
                                              {"secret", arguments.out},
                                              {"public", arguments.out + ".pub"}})
              << "\n";
  } else {
    std::cerr << "created " << arguments.out << " (keep it away from the appliance) and "
              << arguments.out << ".pub\n";
  }
}

void Verify(Context& context, const AuditArguments& arguments) {
  audit::VerifyOptions options;
  options.log_folder = arguments.folder;
  if (!arguments.key_file.empty()) {
    auto key = audit::ReadVerifierKey(arguments.key_file);
    if (!key) return Fail(context, kUsage, key.error().message);
    options.key = key.value();
  }
  if (!arguments.witnesses.empty()) {
    auto witnesses = audit::ReadVerifierKeys(arguments.witnesses);
    if (!witnesses) return Fail(context, kUsage, witnesses.error().message);
    options.witnesses = std::move(witnesses.value());
  }
  audit::Progress progress("verify", audit::LogBytes(arguments.folder));
  options.progress = progress.Sink();
  const audit::Report report = audit::VerifyLog(options);
  progress.Finish();
  std::cout << (context.json ? audit::ReportJson(report) + "\n" : audit::ReportText(report));
  context.exit_code = audit::IsValid(report.verdict) ? kOk : kNo;
}

}  // namespace

void AddAudit(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<AuditArguments>();
  CLI::App* noun = app.add_subcommand("audit", "the audit log: create, verify, read");
  noun->require_subcommand(1);

  CLI::App* init = noun->add_subcommand("init", "create an empty log and its keys");
  init->add_option("--log", arguments->log, "folder of the log")->required();
  init->add_option("--keys", arguments->keys, "folder of the keys")->required();
  init->add_option("--origin", arguments->origin, "name of the log, like example.org/audit")->required();
  init->add_option("--auditor-pub", arguments->auditor_public, "the auditors' public keys")->required();
  init->add_option("--officers", arguments->officers, "verifier keys of who may override a refused start");
  init->add_option("--witnesses", arguments->witnesses, "verifier keys of the log's witnesses");
  init->callback([&context, arguments] { Init(context, *arguments); });

  CLI::App* keygen = noun->add_subcommand("keygen", "create an auditor's or an officer's key pair");
  keygen->add_option("--kind", arguments->kind, "auditor or officer")->check(CLI::IsMember({"auditor", "officer"}));
  keygen->add_option("--name", arguments->name, "an officer's name, like example.org/officer-1");
  keygen->add_option("--out", arguments->out, "secret key file; the public key goes to FILE.pub")->required();
  keygen->callback([&context, arguments] { Keygen(context, *arguments); });

  CLI::App* verify = noun->add_subcommand("verify", "check a log; exit 0 valid, 3 not");
  verify->add_option("DIR", arguments->folder, "folder of the log")->required();
  verify->add_option("--key", arguments->key_file, "the log's verifier key from elsewhere");
  verify->add_option("--witness", arguments->witnesses, "verifier keys of witnesses that you trust");
  verify->callback([&context, arguments] { Verify(context, *arguments); });

  AddAuditRead(*noun, context);
  AddAuditSearch(*noun, context);
  AddAuditExport(*noun, context);
  AddAuditPart(*noun, context);
  AddAuditShare(*noun, context);
  AddAuditReceipt(*noun, context);
  AddAuditReport(*noun, context);
  AddAuditActs(*noun, context);
}

}  // namespace portcullis::cli
