// `portcullis audit report`: the compliance report of a period, as one HTML page and as JSON. Reads the
// log twice, once to verify all of it and once to count; with an auditor's key and the subject keys it
// opens what it counts. With --socket a report that opens contents is recorded first (AUDIT_READ). The page
// appears whole, under a name that is not taken yet.
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "audit/client.h"
#include "audit/count.h"
#include "audit/heads.h"
#include "audit/layout.h"
#include "audit/new_file.h"
#include "audit/progress.h"
#include "audit/report/collect.h"
#include "audit/report/document.h"
#include "audit/scan.h"
#include "audit/verify.h"
#include "certs/secret.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

struct Arguments {
  std::string log, key, organisation, out, socket;
  std::vector<std::string> witnesses, seen;
  PeriodArguments period;
  OpeningArguments opening;
};

// Opens what it can and hands every record to the collector.
class Counting : public audit::ScanVisitor {
 public:
  Counting(audit::RecordOpener* opener, audit::Period period) : opener_(opener), collector_(period) {}

  void OnRecord(const audit::ScannedRecord& record) override {
    std::optional<std::vector<audit::Part>> parts;
    if (opener_ != nullptr) {
      if (record.leaf.kind == audit::Kind::kKey) {
        opener_->TakeKey(record.leaf, record.payload);
      } else if (record.leaf.parts > 0 && !record.erased) {
        auto opened = opener_->Open(record.leaf, record.payload);
        if (opened) parts = std::move(opened).value().parts;
      }
    }
    collector_.Take(record.leaf, parts, record.erased);
  }
  const audit::PeriodFacts& facts() { return collector_.facts(); }

 private:
  audit::RecordOpener* opener_;
  audit::Collector collector_;
};

void Write(Context& context, const Arguments& arguments, const audit::ReportDocument& document) {
  if (!arguments.out.empty()) {
    const auto written = audit::WriteNewFile(arguments.out, audit::ReportPageHtml(document));
    if (!written) return Fail(context, kUsage, written.error().message);
    std::cerr << "wrote " << arguments.out << ": " << audit::CountedRecords(document.facts.records) << ", "
              << audit::VerdictName(document.verified.verdict) << "\n";
  }
  if (context.json) std::cout << audit::ReportPageJson(document) << "\n";
  else if (arguments.out.empty()) std::cout << audit::ReportPageHtml(document);
  context.exit_code = audit::IsValid(document.verified.verdict) ? kOk : kNo;
}

// What the page says was proved is against these keys and witnesses.
audit::Result<audit::VerifyOptions> VerifyAgainst(const Arguments& arguments) {
  audit::VerifyOptions verify;
  verify.log_folder = arguments.log;
  if (!arguments.key.empty()) {
    BOOST_OUTCOME_TRY(verify.key, audit::ReadVerifierKey(arguments.key));
  }
  for (const std::string& file : arguments.witnesses) {
    BOOST_OUTCOME_TRY(const auto keys, audit::ReadVerifierKeys(file));
    verify.witnesses.insert(verify.witnesses.end(), keys.begin(), keys.end());
  }
  BOOST_OUTCOME_TRY(audit::ReadSeen(arguments.seen, verify));
  return verify;
}

audit::Result<void> RecordReading(const Arguments& arguments) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  const boost::json::object facts{{"what", "report"}, {"from", arguments.period.from}, {"to", arguments.period.to},
                                  {"uid", ::getuid()}};
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, boost::json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

void MakeReport(Context& context, const Arguments& arguments) {
  const auto period = PeriodOf(context, arguments.period);
  if (!period) return;
  const auto log_key = audit::ReadLogKey(arguments.log);
  if (!log_key) return Fail(context, kUsage, log_key.error().message);
  auto against = VerifyAgainst(arguments);
  if (!against) return Fail(context, kUsage, against.error().message);
  audit::VerifyOptions& verify = against.value();
  if (arguments.opening.half()) {
    return Fail(context, kUsage,
                "--auditor-key and --release (or, on the box, --keys) open records together; give both or none");
  }
  Opening opening;
  std::optional<audit::RecordOpener> opener;
  if (arguments.opening.any()) {
    if (auto ready = opening.Prepare(arguments.opening, log_key.value()); !ready) {
      return Fail(context, kUsage, ready.error().message);
    }
    if (!arguments.socket.empty()) {
      const auto told = RecordReading(arguments);
      if (!told) return Fail(context, kRemote, "not read, as it could not be recorded: " + told.error().message);
    }
    opener.emplace(opening.MakeOpener(log_key.value().name));
    verify.auditor_secrets = opening.secrets();
    verify.keys = opening.source();
    verify.shares = opening.shares();
    verify.all_keys = !arguments.opening.keys.empty();
  }
  audit::Progress checking("verify", audit::LogBytes(arguments.log));
  verify.progress = checking.Sink();
  const audit::Report verified = audit::VerifyLog(verify);
  checking.Finish();
  Counting counting(opener ? &*opener : nullptr, *period);
  audit::ScanOptions scan;
  scan.live = audit::IsLocked(audit::LogLayout(arguments.log).lock());
  audit::Progress progress("report", audit::LogBytes(arguments.log));
  scan.progress = progress.Sink();
  audit::ScanLog(arguments.log, log_key.value(), scan, &counting);
  progress.Finish();
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  Write(context, arguments,
        {counting.facts(), verified, static_cast<uint64_t>(now.count()),
         "portcullis " PORTCULLIS_VERSION, arguments.organisation});
}

}  // namespace

void AddAuditReport(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* report = noun.add_subcommand("report", "the compliance report of a period, HTML and JSON");
  report->add_option("--log", arguments->log, "folder of the log")->required();
  AddPeriodOptions(*report, arguments->period);
  report->add_option("--key", arguments->key, "the log's verifier key from elsewhere");
  AddOpeningOptions(*report, arguments->opening);
  report->add_option("--witness", arguments->witnesses, "verifier keys of witnesses that you trust");
  report->add_option("--seen", arguments->seen, "a checkpoint of this log that somebody kept: the log must contain it");
  report->add_option("--socket", arguments->socket, "auditd's socket: the reading is recorded first");
  report->add_option("--organisation", arguments->organisation, "name at the head of the page");
  report->add_option("--out", arguments->out, "file for the page; else it goes to standard output");
  report->callback([&context, arguments] {
    certs::InitSodium();
    MakeReport(context, *arguments);
  });
}

}  // namespace portcullis::cli
