// `portcullis certs`: the small CA on the command line. Offline: works on a folder, talks to nobody.
// Threading: one command a process. Failure: words to standard error, kUsage. Formats: certs/README.md.
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "certs/authority.h"
#include "certs/crl.h"
#include "certs/inspect.h"
#include "certs/issue.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

// One set of options for all subcommands; each registers those it knows.
struct CertsOptions {
  std::string dir = "certificates";
  certs::AuthorityOptions authority;
  std::vector<std::string> domains;
  std::vector<std::string> networks;
  std::string kind;
  certs::IssueRequest request;
  std::string out;
  std::string file;
  int days = 0;
};

void FailWith(Context& context, const certs::Error& error) { Fail(context, kUsage, error.message); }

void Print(const Context& context, json::object document, const std::string& words) {
  if (context.json) {
    std::cout << json::serialize(document) << "\n";
  } else {
    std::cout << words << "\n";
  }
}

void Init(const CertsOptions& options, Context& context) {
  certs::AuthorityOptions authority = options.authority;
  authority.permitted_dns.insert(authority.permitted_dns.end(), options.domains.begin(),
                                 options.domains.end());
  authority.permitted_ip.insert(authority.permitted_ip.end(), options.networks.begin(),
                                options.networks.end());
  if (context.dry_run) {
    Print(context, {{"schema", "portcullis.certs.init/1"}, {"dry_run", true}, {"dir", options.dir}},
          "would make an authority in " + options.dir);
    return;
  }
  const auto made = certs::Authority::Create(options.dir, authority);
  if (!made) return FailWith(context, made.error());
  const std::string root = made.value().CertificateFile(certs::Branch::kRoot).string();
  const std::string key = made.value().KeyFile(certs::Branch::kRoot).string();
  Print(context,
        {{"schema", "portcullis.certs.init/1"}, {"dir", options.dir}, {"root", root}, {"root_key", key}},
        "root certificate (give it to clients): " + root + "\nroot key (take it offline): " + key);
}

void Issue(CertsOptions& options, Context& context) {
  options.request.branch = options.kind == "server"  ? certs::Branch::kServers
                           : options.kind == "admin" ? certs::Branch::kAdmins
                                                     : certs::Branch::kUsers;
  options.request.days = options.days;
  const auto authority = certs::Authority::Open(options.dir);
  if (!authority) return FailWith(context, authority.error());
  std::string base = options.out.empty() ? options.request.name : options.out;
  if (base.ends_with(".pem")) base.resize(base.size() - 4);
  if (context.dry_run) {
    Print(context, {{"schema", "portcullis.certs.issue/1"}, {"dry_run", true}, {"chain", base + ".pem"}},
          "would issue " + base + ".pem and " + base + ".key");
    return;
  }
  const auto issued = certs::Issue(authority.value(), options.request, base);
  if (!issued) return FailWith(context, issued.error());
  const certs::Issued& made = issued.value();
  Print(context,
        {{"schema", "portcullis.certs.issue/1"},
         {"chain", made.chain_file.string()},
         {"key", made.key_file.string()},
         {"serial", made.serial},
         {"not_after", made.not_after}},
        "chain: " + made.chain_file.string() + "\nkey:   " + made.key_file.string() +
            "\nvalid until " + made.not_after);
}

void Show(const CertsOptions& options, Context& context) {
  const auto infos = certs::Inspect(options.file);
  if (!infos) return FailWith(context, infos.error());
  json::array list;
  std::string words;
  for (const certs::CertificateInfo& info : infos.value()) {
    json::array names;
    std::string joined;
    for (const std::string& name : info.names) {
      names.emplace_back(name);
      joined += " " + name;
    }
    list.push_back(json::object{{"subject", info.subject},
                                {"issuer", info.issuer},
                                {"serial", info.serial},
                                {"not_before", info.not_before},
                                {"not_after", info.not_after},
                                {"expired", info.expired},
                                {"ca", info.is_ca},
                                {"names", std::move(names)},
                                {"key", info.key},
                                {"sha256", info.sha256}});
    if (!words.empty()) words += "\n\n";
    words += "subject:  " + info.subject + (info.is_ca ? " (CA)" : "") + "\nissuer:   " + info.issuer +
             "\nserial:   " + info.serial + "\nvalid:    " + info.not_before + " to " + info.not_after +
             (info.expired ? " (EXPIRED)" : "") + "\nnames:   " + (joined.empty() ? " none" : joined) +
             "\nkey:      " + info.key + "\nsha256:   " + info.sha256;
  }
  Print(context, {{"schema", "portcullis.certs.show/1"}, {"certificates", std::move(list)}}, words);
}

void Revoke(const CertsOptions& options, Context& context) {
  const auto authority = certs::Authority::Open(options.dir);
  if (!authority) return FailWith(context, authority.error());
  if (context.dry_run) {
    Print(context, {{"schema", "portcullis.certs.revoke/1"}, {"dry_run", true}, {"file", options.file}},
          "would revoke " + options.file);
    return;
  }
  const auto serial = certs::Revoke(authority.value(), options.file);
  if (!serial) return FailWith(context, serial.error());
  Print(context, {{"schema", "portcullis.certs.revoke/1"}, {"serial", serial.value()}},
        "revoked " + serial.value() + "; give listeners " + authority.value().ClientCrlFile().string());
}

void MakeCrls(const CertsOptions& options, Context& context) {
  const auto authority = certs::Authority::Open(options.dir);
  if (!authority) return FailWith(context, authority.error());
  if (!context.dry_run) {
    const auto made = certs::MakeCrls(authority.value(), options.days);
    if (!made) return FailWith(context, made.error());
  }
  const std::string bundle = authority.value().ClientCrlFile().string();
  Print(context, {{"schema", "portcullis.certs.crl/1"}, {"bundle", bundle}, {"dry_run", context.dry_run}},
        (context.dry_run ? "would make " : "made ") + bundle);
}

}  // namespace

void AddCerts(CLI::App& app, Context& context) {
  const auto options = std::make_shared<CertsOptions>();
  CLI::App* const certs = app.add_subcommand("certs", "Certificates: a small CA for servers, users, admins");
  certs->require_subcommand(1);
  const auto dir = [&](CLI::App* command) {
    command->add_option("--dir", options->dir, "folder of the authority")->capture_default_str();
  };

  CLI::App* const init = certs->add_subcommand("init", "Make an authority: root, intermediates, CRLs");
  dir(init);
  init->add_option("--name", options->authority.name, "organization in every subject")
      ->capture_default_str();
  init->add_option("--domain", options->domains, "further domain that servers may have names in");
  init->add_option("--network", options->networks, "further network of servers, ADDRESS/MASK");
  init->add_option("--crl-uri", options->authority.crl_uri, "where the CRLs will be published")
      ->capture_default_str();
  init->callback([options, &context] { Init(*options, context); });

  CLI::App* const issue = certs->add_subcommand("issue", "Issue a certificate and its key");
  dir(issue);
  issue->add_option("kind", options->kind, "server, user or admin")
      ->required()
      ->check(CLI::IsMember({"server", "user", "admin"}));
  issue->add_option("name", options->request.name, "name of the server or person")->required();
  issue->add_option("--out", options->out, "files to make: OUT.pem and OUT.key (default: the name)");
  issue->add_option("--dns", options->request.dns, "DNS name of the server");
  issue->add_option("--ip", options->request.ip, "IP address of the server");
  issue->add_option("--days", options->days, "days of validity")->check(CLI::Range(1, 90));
  issue->callback([options, &context] { Issue(*options, context); });

  CLI::App* const show = certs->add_subcommand("show", "Say what a certificate file holds");
  show->add_option("file", options->file, "PEM file")->required();
  show->callback([options, &context] { Show(*options, context); });

  CLI::App* const revoke = certs->add_subcommand("revoke", "Revoke a certificate and make its CRL");
  dir(revoke);
  revoke->add_option("file", options->file, "PEM file")->required();
  revoke->callback([options, &context] { Revoke(*options, context); });

  CLI::App* const crl = certs->add_subcommand("crl", "Make all CRLs anew");
  dir(crl);
  crl->add_option("--days", options->days, "days of validity")->check(CLI::Range(1, 366));
  crl->callback([options, &context] { MakeCrls(*options, context); });
}

}  // namespace portcullis::cli
