// `portcullis audit export`: the records that fit, as JSON lines or CSV, with contents, where the keys are
// given, and proofs. Every record is checked on the way: what comes out is what the log's signatures vouch
// for. Of a period, the segments of its days are read; otherwise the log from its start. A file appears whole or not at
// all, is its owner's alone and replaces nothing; with --json the answer is about that file. With --socket an export that
// opens contents is recorded first (AUDIT_READ).
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <iostream>

#include "audit/bytes.h"
#include "audit/client.h"
#include "audit/count.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/new_file.h"
#include "audit/note.h"
#include "audit/period_scan.h"
#include "audit/progress.h"
#include "audit/prover.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_query.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct ExportArguments {
  QueryArguments query;
  OpeningArguments opening;
  std::string socket, out, format = "jsonl";
  bool proofs = false;
};

// Standard output, or a file that is not there before it is whole.
class Target {
 public:
  audit::Result<void> Open(const std::string& path) {
    if (path.empty()) return audit::Ok();
    BOOST_OUTCOME_TRY(audit::NewFile file, audit::NewFile::Create(path));
    file_.emplace(std::move(file));
    return audit::Ok();
  }
  void Put(std::string_view text) {
    if (file_) file_->Write(text);
    else std::cout << text;
  }
  audit::Result<void> Finish() {
    if (file_) return file_->Finish();
    std::cout.flush();
    if (std::cout) return audit::Ok();
    return audit::Error{audit::Code::kIo, "writing to standard output failed"};
  }

 private:
  std::optional<audit::NewFile> file_;
};

class Exporting final : public audit::ScanVisitor {
 public:
  Exporting(const ExportArguments& arguments, const audit::Query& query, audit::PeriodScan& period,
            audit::RecordOpener* opener, const audit::Prover* prover, Target& out)
      : query_(query), period_(period), limit_(arguments.query.limit), csv_(arguments.format == "csv"), opener_(opener),
        prover_(prover), out_(out) {
    if (!csv_) return;
    out_.Put("seq,time,kind,outcome,request_id,parent_seq,subject_tag,tenant_tag,policy_hash,model_hash,leaf_hash,leaf");
    out_.Put(prover_ != nullptr ? ",proof\r\n" : "\r\n");
  }
  void OnRecord(const audit::ScannedRecord& record) override {
    if (record.leaf.kind == audit::Kind::kKey && opener_ != nullptr) opener_->TakeKey(record.leaf, record.payload);
    if (limit_ != 0 && found_ >= limit_) return;
    if (!query_.Fits(record.leaf)) return;
    ++found_;
    OnFound(record);
  }
  uint64_t found() const { return found_; }
  uint64_t unopened() const { return unopened_; }
  uint64_t unproved() const { return unproved_; }

 private:
  void OnFound(const audit::ScannedRecord& record) {
    json::object line = Summary(record.leaf, record.leaf_hash);
    line["leaf"] = audit::Hex(audit::AsBytes(audit::EncodeLeaf(record.leaf)));
    if (opener_ != nullptr && record.leaf.parts > 0 && record.leaf.kind != audit::Kind::kKey) {
      period_.FindKeys(record.leaf.chain, [this](const audit::Leaf& leaf, std::string_view payload) {
        opener_->TakeKey(leaf, payload);
      });
      auto opened = opener_->Open(record.leaf, record.payload);
      if (opened) {
        line["parts"] = Contents(opened.value().parts);
        if (!opened.value().shredded.empty()) line["shredded"] = PartNames(opened.value().shredded);
      } else {
        ++unopened_;
      }
    }
    if (prover_ != nullptr) {
      const auto proof = prover_->Prove(record.leaf.seq, record.leaf_hash);
      if (proof && proof.value()) line["proof"] = *proof.value();
      else ++unproved_;
    }
    if (csv_) return PutCsv(line);
    out_.Put(json::serialize(line) + "\n");
  }
  // Numbers, names of kinds, hex and base64 (of the proof's text) only: nothing that a spreadsheet could take for a
  // formula, nothing to quote.
  void PutCsv(const json::object& summary) {
    std::string line;
    for (const char* name : {"seq", "time", "kind", "outcome", "request_id", "parent_seq", "subject_tag",
                             "tenant_tag", "policy_hash", "model_hash", "leaf_hash", "leaf"}) {
      const json::value& value = summary.at(name);
      line += line.empty() ? "" : ",";
      line += value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    }
    if (prover_ != nullptr) {
      const json::value* proof = summary.if_contains("proof");  // none: not under a checkpoint yet
      line += ",";
      if (proof != nullptr) line += audit::Base64(audit::AsBytes(proof->get_string()));
    }
    out_.Put(line + "\r\n");
  }

  const audit::Query& query_;
  audit::PeriodScan& period_;
  const uint64_t limit_;
  const bool csv_;
  audit::RecordOpener* opener_;
  const audit::Prover* prover_;
  Target& out_;
  uint64_t found_ = 0, unopened_ = 0, unproved_ = 0;
};

audit::Result<void> RecordExport(const ExportArguments& arguments) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  const json::object facts{{"what", "export"}, {"from", arguments.query.period.from}, {"to", arguments.query.period.to},
                           {"uid", ::getuid()}};
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

void Export(Context& context, ExportArguments arguments) {
  const auto key = audit::ReadLogKey(arguments.query.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  if (arguments.opening.half()) {
    return Fail(context, kUsage,
                "--auditor-key and --release (or, on the box, --keys) open records together; give both or none");
  }
  if (arguments.format == "csv" && arguments.opening.any()) {
    return Fail(context, kUsage, "csv holds no contents: leave out --auditor-key and --release, or use --format jsonl");
  }
  arguments.query.keys = arguments.opening.keys;
  const auto query = QueryOf(context, arguments.query);
  if (!query) return;
  Target out;
  if (auto opened = out.Open(arguments.out); !opened) return Fail(context, kUsage, opened.error().message);
  Opening opening;
  std::optional<audit::RecordOpener> opener;
  if (arguments.opening.any()) {
    if (auto ready = opening.Prepare(arguments.opening, key.value()); !ready) {
      return Fail(context, kUsage, ready.error().message);
    }
    if (!arguments.socket.empty()) {
      auto told = RecordExport(arguments);
      if (!told) return Fail(context, kRemote, "not read, as it could not be recorded: " + told.error().message);
    }
    opener.emplace(opening.MakeOpener(key.value().name));
  }
  std::optional<audit::Prover> prover;
  if (arguments.proofs) {
    auto made = audit::Prover::Open(arguments.query.log, key.value());
    if (!made) return Fail(context, kUsage, "no proofs: " + made.error().message);
    prover.emplace(std::move(made).value());
  }
  audit::PeriodScan period(arguments.query.log, key.value(), query->begin_us, query->end_us);
  Exporting exporting(arguments, *query, period, opener ? &*opener : nullptr, prover ? &*prover : nullptr, out);
  if (!period.warning().empty()) std::cerr << "warning: " << period.warning() << "\n";
  audit::Progress progress("export", period.bytes());
  audit::ScanOptions options;
  options.live = audit::IsLocked(audit::LogLayout(arguments.query.log).lock());
  options.payloads = opener.has_value();
  if (!arguments.out.empty()) options.progress = progress.Sink();
  const auto scan = period.Run(options, exporting);
  progress.Finish();
  if (scan.fault && !scan.torn) return Fail(context, kNo, "nothing is exported: " + scan.fault->message);
  if (auto written = out.Finish(); !written) {
    return Fail(context, kUsage, "the export is not whole: " + written.error().message);
  }
  if (context.json && !arguments.out.empty()) {
    return PrintJson("portcullis.audit.export/1", {{"file", arguments.out}, {"format", arguments.format},
                                                   {"records", exporting.found()}, {"sealed", exporting.unopened()},
                                                   {"unproved", exporting.unproved()}});
  }
  std::cerr << audit::CountedRecords(exporting.found());
  if (exporting.unopened() > 0) std::cerr << ", " << exporting.unopened() << " stayed sealed";
  if (exporting.unproved() > 0) std::cerr << ", " << exporting.unproved() << " not under a checkpoint yet";
  std::cerr << "\n";
}

}  // namespace

void AddAuditExport(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ExportArguments>();
  CLI::App* app = noun.add_subcommand("export", "the records that fit, as JSON lines or CSV, with contents and proofs");
  AddQueryOptions(*app, arguments->query);
  AddOpeningOptions(*app, arguments->opening);
  app->add_option("--format", arguments->format, "jsonl, or csv (leaves and proofs, without contents)")->check(CLI::IsMember({"jsonl", "csv"}));
  app->add_flag("--proofs", arguments->proofs, "a C2SP tlog-proof with every record");
  app->add_option("--out", arguments->out, "a new file, readable by its owner only; else standard output");
  app->add_option("--socket", arguments->socket, "auditd's socket: the reading is recorded first");
  app->callback([&context, arguments] {
    certs::InitSodium();
    Export(context, *arguments);
  });
}

}  // namespace portcullis::cli
