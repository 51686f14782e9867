// `portcullis audit share`: in two-person mode, one officer's part in the opening of chosen records, for the other
// officer's key. Each works with a key and a release of his own on a machine of his own: who receives the file gives
// it to show, export, report or release-part with --share. With --socket the giving is recorded first (AUDIT_READ).
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "audit/client.h"
#include "audit/count.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/new_file.h"
#include "audit/period_scan.h"
#include "audit/progress.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxNamed = 1024;  // records by number: each is named in the record of the giving

struct ShareArguments {
  std::string log, to, out, socket, reason;
  std::vector<uint64_t> seqs;
  PeriodArguments period;
  OpeningArguments opening;
};

// The records of a period that are sealed to the two together.
class Sharing final : public audit::ScanVisitor {
 public:
  Sharing(audit::Period period, audit::PeriodScan& scan, audit::SubjectKeySource& keys, audit::ShareMaker& maker)
      : period_(period), scan_(scan), keys_(keys), maker_(maker) {}
  void OnRecord(const audit::ScannedRecord& record) override {
    const audit::Leaf& leaf = record.leaf;
    if (leaf.kind == audit::Kind::kKey) return Keep(leaf, record.payload);
    const bool in = leaf.wall_us >= period_.begin_us && leaf.wall_us < period_.end_us;
    if (leaf.parts == 0 || record.erased || !in || error_) return;
    if (others_.contains(leaf.chain)) return void(++left_out_);
    scan_.FindKeys(leaf.chain, [this](const audit::Leaf& key, std::string_view payload) { Keep(key, payload); });
    const auto key = key_payloads_.find(leaf.chain);
    const auto added = maker_.Add(leaf, key == key_payloads_.end() ? std::string_view() : key->second, keys_);
    if (added) return;
    const audit::Code code = added.error().code;
    if (code == audit::Code::kOtherAuditor || code == audit::Code::kNotFound) {
      others_.insert(leaf.chain);
      ++left_out_;
    } else {
      error_ = audit::Error{code, "record " + std::to_string(leaf.seq) + ": " + added.error().message};
    }
  }
  const std::optional<audit::Error>& error() const { return error_; }
  uint64_t left_out() const { return left_out_; }

 private:
  static constexpr size_t kMaxKept = 8192;
  void Keep(const audit::Leaf& leaf, std::string_view payload) {
    key_payloads_[leaf.seq] = payload;
    if (key_payloads_.size() > kMaxKept) key_payloads_.erase(key_payloads_.begin());
  }

  const audit::Period period_;
  audit::PeriodScan& scan_;
  audit::SubjectKeySource& keys_;
  audit::ShareMaker& maker_;
  std::map<uint64_t, std::string> key_payloads_;  // by seq
  std::set<uint64_t> others_;                     // chains that are not for these two, or not released
  uint64_t left_out_ = 0;
  std::optional<audit::Error> error_;
};

audit::Result<void> TakeRecord(const ShareArguments& arguments, const audit::VerifierKey& key, uint64_t seq,
                               audit::SubjectKeySource& keys, audit::ShareMaker& maker) {
  BOOST_OUTCOME_TRY(const audit::LoadedRecord record, audit::LoadRecord(arguments.log, key, seq));
  const std::string name = "record " + std::to_string(seq) + ": ";
  if (record.erased) return audit::Error{audit::Code::kNotFound, name + "the content was erased"};
  if (record.key_payload.empty()) return audit::Error{audit::Code::kNotFound, name + "it has no content"};
  const auto added = maker.Add(record.leaf, record.key_payload, keys);
  if (!added) return audit::Error{added.error().code, name + added.error().message};
  return audit::Ok();
}

audit::Result<uint64_t> TakePeriod(const ShareArguments& arguments, const audit::VerifierKey& key, audit::Period period,
                                   audit::SubjectKeySource& keys, audit::ShareMaker& maker) {
  audit::PeriodScan scan(arguments.log, key, period.begin_us, period.end_us);
  if (!scan.warning().empty()) std::cerr << "warning: " << scan.warning() << "\n";
  Sharing sharing(period, scan, keys, maker);
  audit::Progress progress("share", scan.bytes());
  audit::ScanOptions options;
  options.live = audit::IsLocked(audit::LogLayout(arguments.log).lock());
  options.payloads = false;
  options.progress = progress.Sink();
  const auto scanned = scan.Run(options, sharing);
  progress.Finish();
  if (scanned.fault && !scanned.torn) return audit::Error{scanned.fault->code, scanned.fault->message};
  if (sharing.error()) return *sharing.error();
  return sharing.left_out();
}

audit::Result<void> RecordGiving(const ShareArguments& arguments, const audit::AuditorKey& to, size_t records) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  if (arguments.seqs.size() == 1) event.parent_seq = arguments.seqs.front();
  const std::set<uint64_t> named(arguments.seqs.begin(), arguments.seqs.end());
  const json::object facts{{"what", "share"}, {"records", records}, {"seqs", json::array(named.begin(), named.end())}, {"from", arguments.period.from},
                           {"to", arguments.period.to}, {"to_key", audit::Hex(audit::KeyIdOf(to))},
                           {"reason", arguments.reason}, {"uid", ::getuid()}};
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

audit::Result<void> Share(const Context& context, const ShareArguments& arguments, audit::Period period) {
  BOOST_OUTCOME_TRY(const audit::VerifierKey key, audit::ReadLogKey(arguments.log));
  BOOST_OUTCOME_TRY(const audit::AuditorKey to, audit::ReadAuditorPublic(arguments.to));
  BOOST_OUTCOME_TRY(audit::NewFile out, audit::NewFile::Create(arguments.out));
  Opening opening;
  BOOST_OUTCOME_TRY(opening.Prepare(arguments.opening, key));
  BOOST_OUTCOME_TRY(audit::ShareMaker maker, audit::ShareMaker::Make(key.name, *opening.secrets().front(), to));
  uint64_t left_out = 0;
  for (const uint64_t seq : arguments.seqs) {
    BOOST_OUTCOME_TRY(TakeRecord(arguments, key, seq, *opening.source(), maker));
  }
  if (arguments.seqs.empty()) {
    BOOST_OUTCOME_TRY(left_out, TakePeriod(arguments, key, period, *opening.source(), maker));
  }
  if (maker.records() == 0) {
    return audit::Error{audit::Code::kNotFound, "no record of the period is sealed to these two auditors together and was released"};
  }
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  BOOST_OUTCOME_TRY(const std::string file, maker.Seal(static_cast<uint64_t>(now.count()), arguments.reason));
  if (!arguments.socket.empty()) {
    auto told = RecordGiving(arguments, to, maker.records());
    if (!told) return audit::Error{audit::Code::kIo, "not shared, as it could not be recorded: " + told.error().message};
  }
  out.Write(file);
  BOOST_OUTCOME_TRY(out.Finish());
  std::string words = arguments.out + " shares " + audit::CountedRecords(maker.records()) + " of " +
                      audit::Counted(maker.chains(), "chain", "chains") + " with the key of " + arguments.to +
                      ", which opens them with a release of its own";
  if (left_out > 0) {
    words += "; " + audit::Counted(left_out, "record", "records") + " of the period " + (left_out == 1 ? "is" : "are") +
             " not for the two of you, or " + (left_out == 1 ? "was" : "were") + " not released";
  }
  Answer(context, "portcullis.audit.share/1",
         {{"file", arguments.out}, {"to", arguments.to}, {"records", maker.records()}, {"chains", maker.chains()}, {"left_out", left_out}},
         words);
  return audit::Ok();
}

void Run(Context& context, const ShareArguments& arguments) {
  const bool days = !arguments.period.from.empty() || !arguments.period.to.empty();
  if (days != arguments.seqs.empty()) {
    return Fail(context, kUsage, "which records? Give their numbers, or a period (--from, --to)");
  }
  if (arguments.seqs.size() > kMaxNamed) {
    return Fail(context, kUsage, "more than " + std::to_string(kMaxNamed) + " records by number: make several shares, or give a period");
  }
  if (!arguments.opening.any() || arguments.opening.auditor_keys.size() != 1) {
    return Fail(context, kUsage, "--auditor-key (one: yours) and --release (or, on the box, --keys) open your half; give both");
  }
  const auto period = PeriodOf(context, arguments.period);
  if (!period) return;
  const auto shared = Share(context, arguments, *period);
  if (shared) return;
  const audit::Code code = shared.error().code;
  const bool no = code == audit::Code::kNotFound || code == audit::Code::kTampered || code == audit::Code::kOtherAuditor;
  Fail(context, no ? kNo : kUsage, shared.error().message);
}

}  // namespace

void AddAuditShare(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ShareArguments>();
  CLI::App* app = noun.add_subcommand("share", "in two-person mode: your part in opening records, for the other auditor's key");
  app->add_option("SEQ", arguments->seqs, "the records' numbers; or a period");
  app->add_option("--log", arguments->log, "folder of the log")->required();
  AddPeriodOptions(*app, arguments->period);
  AddKeyOptions(*app, arguments->opening);
  app->add_option("--for", arguments->to, "public key of the other auditor, who may open them with his own")->required();
  app->add_option("--reason", arguments->reason, "why, in one line; the other auditor reads it")->required();
  app->add_option("--out", arguments->out, "a new file")->required();
  app->add_option("--socket", arguments->socket, "auditd's socket: the sharing is recorded first");
  app->callback([&context, arguments] {
    certs::InitSodium();
    Run(context, *arguments);
  });
}

}  // namespace portcullis::cli
