// `portcullis audit`: init, keygen, verify, show, tail; acts of people are in audit_acts.cc. Works on
// folders and, where a socket is given, through auditd; never through the gateway. Reading a record's
// content needs an auditor's secret key and the subject's key, from a release file (anywhere) or the key
// store (on the box only); with --socket the reading itself is recorded first (AUDIT_READ).

#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <ctime>
#include <iostream>
#include <list>
#include <memory>
#include <thread>

#include "audit/client.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/reader.h"
#include "audit/release.h"
#include "audit/scan.h"
#include "audit/verify.h"
#include "gateway/cli/audit_acts.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct AuditArguments {
  std::string log, keys, origin, auditor_public, officers, witnesses, out, folder, key_file, socket;
  std::string kind = "auditor", name;
  std::vector<std::string> auditor_keys, releases;
  uint64_t seq = 0;
  uint64_t lines = 20;
  bool follow = false;
};

std::string TimeText(uint64_t wall_us) {
  const std::time_t seconds = static_cast<std::time_t>(wall_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

json::object Summary(const audit::Leaf& leaf, const audit::Hash& leaf_hash) {
  json::object out;
  out["seq"] = leaf.seq;
  out["kind"] = audit::KindName(leaf.kind);
  out["time"] = TimeText(leaf.wall_us);
  out["wall_us"] = leaf.wall_us;
  out["request_id"] = audit::Hex(leaf.request_id);
  out["parent_seq"] = leaf.parent_seq;
  out["outcome"] = leaf.outcome;
  out["subject_tag"] = audit::Hex(leaf.subject);
  out["tenant_tag"] = audit::Hex(leaf.tenant);
  out["policy_hash"] = audit::Hex(leaf.policy_hash);
  out["model_hash"] = audit::Hex(leaf.model_hash);
  out["boot"] = audit::Hex(leaf.boot);
  out["leaf_hash"] = audit::Hex(leaf_hash);
  return out;
}

void PrintLine(const audit::Leaf& leaf) {
  std::cout << leaf.seq << "\t" << TimeText(leaf.wall_us) << "\t" << audit::KindName(leaf.kind) << "\t"
            << leaf.outcome << "\t" << audit::Hex(leaf.request_id) << "\n";
}

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
  const audit::Report report = audit::VerifyLog(options);
  std::cout << (context.json ? audit::ReportJson(report) + "\n" : audit::ReportText(report));
  context.exit_code = audit::IsValid(report.verdict) ? kOk : kNo;
}

// The log tells of the reading before anything is read.
audit::Result<void> RecordReading(const AuditArguments& arguments, const audit::Leaf& leaf) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  event.parent_seq = leaf.seq;
  json::object facts;
  facts["seq"] = leaf.seq;
  facts["subject_tag"] = audit::Hex(leaf.subject);
  facts["uid"] = ::getuid();
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

void PrintRecord(const Context& context, const audit::LoadedRecord& record,
                 const std::vector<audit::Part>& parts) {
  json::object out = Summary(record.leaf, record.leaf_hash);
  if (context.json) {
    out["schema"] = "portcullis.audit.record/1";
    json::object content;
    for (const audit::Part& part : parts) content[audit::PartName(part.type)] = part.bytes;
    out["parts"] = std::move(content);
    std::cout << json::serialize(out) << "\n";
    return;
  }
  for (const auto& [name, value] : out) {
    std::cout << std::string(name) << ": "
              << (value.is_string() ? std::string(value.as_string()) : json::serialize(value)) << "\n";
  }
  for (const audit::Part& part : parts) {
    std::cout << "--- " << audit::PartName(part.type) << "\n" << part.bytes << "\n";
  }
}

// The keys that open records: the auditors' and the subjects'.
struct Opening {
  std::list<certs::SecretBytes> secrets;
  std::vector<const certs::SecretBytes*> pointers;
  std::unique_ptr<audit::KeyStore> store;
  audit::ReleasedKeys released;
  audit::SubjectKeySource* source = nullptr;
};

audit::Result<void> Prepare(const AuditArguments& arguments, const std::string& origin, Opening& opening) {
  for (const std::string& file : arguments.auditor_keys) {
    BOOST_OUTCOME_TRY(auto secret, audit::ReadAuditorSecret(file));
    opening.secrets.push_back(std::move(secret));
    opening.pointers.push_back(&opening.secrets.back());
  }
  if (!arguments.keys.empty()) {
    BOOST_OUTCOME_TRY(opening.store, audit::OpenKeyStore(arguments.keys, audit::KeyStore::Mode::kReadOnly));
    opening.source = opening.store.get();
    return audit::Ok();
  }
  for (const std::string& file : arguments.releases) {
    BOOST_OUTCOME_TRY(const std::string text, audit::ReadFile(file, 64u << 20));
    BOOST_OUTCOME_TRY(opening.released.Add(text, origin, opening.secrets.front()));
  }
  opening.source = &opening.released;
  return audit::Ok();
}

void Show(Context& context, const AuditArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  auto record = audit::LoadRecord(arguments.log, key.value(), arguments.seq);
  if (!record) {
    const bool damaged = record.error().code == audit::Code::kTampered;
    return Fail(context, damaged ? kNo : kUsage, record.error().message);
  }
  std::vector<audit::Part> parts;
  if (!record.value().key_payload.empty()) {
    if (record.value().erased) {
      std::cerr << "the content was erased; the proof of the record stands\n";
    } else if (arguments.auditor_keys.empty() || (arguments.keys.empty() && arguments.releases.empty())) {
      std::cerr << "the content is sealed: --auditor-key and --release (or on the box --keys) open it\n";
    } else {
      Opening opening;
      if (auto ready = Prepare(arguments, key.value().name, opening); !ready) {
        return Fail(context, kUsage, ready.error().message);
      }
      if (!arguments.socket.empty()) {
        auto told = RecordReading(arguments, record.value().leaf);
        if (!told) return Fail(context, kRemote, "not read, as it could not be recorded: " + told.error().message);
      }
      audit::RecordOpener opener(key.value().name, opening.source, opening.pointers);
      opener.TakeKey(record.value().key_leaf, record.value().key_payload);
      auto opened = opener.Open(record.value().leaf, record.value().payload);
      if (!opened) return Fail(context, kNo, opened.error().message);
      parts = std::move(opened.value());
    }
  }
  PrintRecord(context, record.value(), parts);
}

class TailPrinter : public audit::ScanVisitor {
 public:
  TailPrinter(const Context& context, uint64_t from) : context_(context), next_(from) {}

  void OnRecord(const audit::ScannedRecord& record) override {
    if (record.leaf.seq < next_) return;
    next_ = record.leaf.seq + 1;
    if (context_.json) {
      std::cout << json::serialize(Summary(record.leaf, record.leaf_hash)) << "\n";
    } else {
      PrintLine(record.leaf);
    }
  }

 private:
  const Context& context_;
  uint64_t next_;
};

void Tail(Context& context, const AuditArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  audit::ScanOptions options;
  options.live = audit::IsLocked(audit::LogLayout(arguments.log).lock());
  const auto first = audit::ScanLog(arguments.log, key.value(), options, nullptr);
  const uint64_t size = first.tree.size();
  TailPrinter printer(context, size > arguments.lines ? size - arguments.lines : 0);
  for (;;) {
    const auto scan = audit::ScanLog(arguments.log, key.value(), options, &printer);
    std::cout.flush();
    if (scan.fault) return Fail(context, kNo, scan.fault->message);
    if (!arguments.follow) return;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
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

  CLI::App* show = noun->add_subcommand("show", "show one record");
  show->add_option("SEQ", arguments->seq, "its number")->required();
  show->add_option("--log", arguments->log, "folder of the log")->required();
  show->add_option("--auditor-key", arguments->auditor_keys, "an auditor's secret key, to open the content");
  show->add_option("--release", arguments->releases, "a release file with the subject's key");
  show->add_option("--keys", arguments->keys, "on the box: folder of the keys, for the subject's key");
  show->add_option("--socket", arguments->socket, "auditd's socket: the reading is recorded first");
  show->callback([&context, arguments] { Show(context, *arguments); });

  CLI::App* tail = noun->add_subcommand("tail", "show the last records, without content");
  tail->add_option("--log", arguments->log, "folder of the log")->required();
  tail->add_option("-n,--lines", arguments->lines, "how many");
  tail->add_flag("-f,--follow", arguments->follow, "go on as records come");
  tail->callback([&context, arguments] { Tail(context, *arguments); });
  AddAuditReport(*noun, context);
  AddAuditActs(*noun, context);
}

}  // namespace portcullis::cli
