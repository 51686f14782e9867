#include "audit/verify.h"

#include <map>

#include "audit/bytes.h"
#include "audit/closure.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/reader.h"

namespace portcullis::audit {
namespace {

class Checks : public ScanVisitor {
 public:
  Checks(const VerifyOptions& options, std::string_view origin)
      : options_(options), opener_(origin, options.store, options.auditor_secret) {}

  void OnRecord(const ScannedRecord& record) override {
    closure_.Take(record.leaf);
    if (options_.auditor_secret == nullptr || options_.store == nullptr || key_fault_) return;
    if (record.leaf.kind == Kind::kKey) {
      opener_.TakeKey(record.leaf, record.payload);
    } else if (record.leaf.parts > 0) {
      const auto parts = opener_.Open(record.leaf, record.payload);
      if (parts) {
        ++decrypted_;
      } else {
        key_fault_ = Fault{parts.error().code, record.leaf.seq, parts.error().message};
      }
    }
  }

  ClosureChecker& closure() { return closure_; }
  const std::optional<Fault>& key_fault() const { return key_fault_; }
  uint64_t decrypted() const { return decrypted_; }

 private:
  const VerifyOptions& options_;
  RecordOpener opener_;
  ClosureChecker closure_;
  std::optional<Fault> key_fault_;
  uint64_t decrypted_ = 0;
};

void Settle(Report& report, Verdict verdict, std::optional<uint64_t> seq, std::string reason) {
  report.verdict = verdict;
  report.first_bad_seq = seq;
  report.reason = std::move(reason);
}

Verdict FromCode(Code code) {
  if (code == Code::kNotFound || code == Code::kKeys || code == Code::kIo || code == Code::kPermission) {
    return Verdict::kIncomplete;
  }
  return Verdict::kTampered;
}

// The order matters: what is wrong in the bytes comes before what is missing at the end, and that
// before what the records say about each other.
void Judge(Report& report, const ScanResult& scan, const Result<Checkpoint>& checkpoint, Checks& checks) {
  if (scan.fault && !scan.torn) {
    return Settle(report, FromCode(scan.fault->code), scan.fault->seq, scan.fault->message);
  }
  if (!checkpoint) {
    const Verdict verdict =
        checkpoint.error().code == Code::kNotFound ? Verdict::kIncomplete : Verdict::kTampered;
    return Settle(report, verdict, 0, checkpoint.error().message);
  }
  const Checkpoint& head = checkpoint.value();
  if (head.size > scan.tree.size()) {
    return Settle(report, Verdict::kRolledBack, scan.tree.size(),
                  "the checkpoint covers " + std::to_string(head.size) + " records, the log holds " +
                      std::to_string(scan.tree.size()) + (scan.fault ? "; " + scan.fault->message : ""));
  }
  const auto root = scan.roots.find(head.size);
  if (root == scan.roots.end() || root->second != head.root) {
    return Settle(report, Verdict::kForked, 0,
                  "the signed checkpoint at size " + std::to_string(head.size) +
                      " has another root than this log: two histories under one key");
  }
  if (const auto& fault = checks.closure().fault()) {
    return Settle(report, fault->tampered ? Verdict::kTampered : Verdict::kIncomplete, fault->seq,
                  fault->message);
  }
  if (checks.key_fault()) {
    return Settle(report, FromCode(checks.key_fault()->code), checks.key_fault()->seq,
                  checks.key_fault()->message);
  }
  if (scan.fault) {
    return Settle(report, Verdict::kIncomplete, scan.fault->seq,
                  scan.fault->message + ": an unfinished write at the end, which auditd repairs and "
                                        "tells at its next start");
  }
  report.verdict =
      report.recoveries > 0 ? Verdict::kValidWithRecovery : Verdict::kValidSelfAttested;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\u00";
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kValidSelfAttested: return "VALID-SELF-ATTESTED";
    case Verdict::kValidWithRecovery: return "VALID-WITH-RECOVERY";
    case Verdict::kIncomplete: return "INCOMPLETE";
    case Verdict::kTampered: return "TAMPERED";
    case Verdict::kRolledBack: return "ROLLED-BACK";
    case Verdict::kForked: return "FORKED";
  }
  return "INCOMPLETE";
}

bool IsValid(Verdict verdict) {
  return verdict == Verdict::kValidSelfAttested || verdict == Verdict::kValidWithRecovery;
}

Report VerifyLog(const VerifyOptions& options) {
  Report report;
  report.key_given = options.key.has_value();
  VerifierKey key;
  if (options.key) {
    key = *options.key;
  } else {
    auto own = ReadLogKey(options.log_folder);
    if (!own) {
      Settle(report, Verdict::kIncomplete, 0, own.error().message);
      return report;
    }
    key = own.value();
    report.notes.push_back("checked against the log's own log.pub: bring the key by another way (--key) "
                           "to exclude that the whole folder was replaced");
  }
  report.origin = key.name;
  const LogLayout layout(options.log_folder);
  report.live = IsLocked(layout.lock());

  // The checkpoint is read first: the log of a working writer is always ahead of it.
  Result<Checkpoint> checkpoint = [&]() -> Result<Checkpoint> {
    BOOST_OUTCOME_TRY(const std::string note, ReadFile(layout.checkpoint(), kMaxNote));
    return OpenCheckpoint(note, key);
  }();
  ScanOptions scan_options;
  scan_options.live = report.live;
  if (checkpoint) scan_options.root_sizes = {checkpoint.value().size};
  Checks checks(options, key.name);
  const ScanResult scan = ScanLog(options.log_folder, key, scan_options, &checks);
  checks.closure().Finish();

  report.records = scan.tree.size();
  report.batches = scan.batches;
  report.segments = scan.segments;
  report.root = scan.tree.Root();
  report.checkpoint_size = checkpoint ? checkpoint.value().size : 0;
  report.requests = checks.closure().requests();
  report.open_requests = checks.closure().open_requests();
  report.recoveries = checks.closure().recoveries();
  report.decrypted = checks.decrypted();
  Judge(report, scan, checkpoint, checks);

  if (report.records > report.checkpoint_size) {
    report.notes.push_back(std::to_string(report.records - report.checkpoint_size) +
                           " records lie after the last checkpoint, signed by the writer only");
  }
  if (report.open_requests > 0) {
    report.notes.push_back(std::to_string(report.open_requests) +
                           " requests have no end yet; auditd closes them at its next start");
  }
  report.notes.push_back("no witness: that nobody holds another history, or a later one, is not proved");
  return report;
}

std::string ReportText(const Report& report) {
  std::string text(VerdictName(report.verdict));
  text += "\n";
  if (!report.reason.empty()) {
    if (report.first_bad_seq) text += "  first bad seq: " + std::to_string(*report.first_bad_seq) + "\n";
    text += "  reason: " + report.reason + "\n";
  }
  text += "  log: " + report.origin + "\n";
  text += "  proved: " + std::to_string(report.records) + " records in " +
          std::to_string(report.batches) + " batches and " + std::to_string(report.segments) +
          " segments, checkpoint at " + std::to_string(report.checkpoint_size) + "\n";
  text += "  requests: " + std::to_string(report.requests) + ", open " +
          std::to_string(report.open_requests) + ", recoveries " + std::to_string(report.recoveries) + "\n";
  if (report.decrypted > 0) text += "  opened: " + std::to_string(report.decrypted) + " records\n";
  text += "  root: " + Base64(report.root) + "\n";
  for (const std::string& note : report.notes) text += "  note: " + note + "\n";
  return text;
}

std::string ReportJson(const Report& report) {
  const auto number = [](const char* name, uint64_t value) {
    return std::string(",\"") + name + "\":" + std::to_string(value);
  };
  std::string json = "{\"schema\":\"portcullis.audit.verify/1\",\"verdict\":" +
                     Quoted(VerdictName(report.verdict)) +
                     ",\"valid\":" + (IsValid(report.verdict) ? "true" : "false") + ",\"first_bad_seq\":" +
                     (report.first_bad_seq ? std::to_string(*report.first_bad_seq) : "null") +
                     ",\"reason\":" + Quoted(report.reason) + ",\"origin\":" + Quoted(report.origin) +
                     ",\"key_given\":" + (report.key_given ? "true" : "false") +
                     ",\"live\":" + (report.live ? "true" : "false");
  json += number("records", report.records) + number("batches", report.batches) +
          number("segments", report.segments) + number("checkpoint_size", report.checkpoint_size) +
          number("requests", report.requests) + number("open_requests", report.open_requests) +
          number("recoveries", report.recoveries) + number("decrypted", report.decrypted);
  json += ",\"root\":" + Quoted(Base64(report.root)) + ",\"notes\":[";
  for (size_t i = 0; i < report.notes.size(); ++i) {
    json += (i > 0 ? "," : "") + Quoted(report.notes[i]);
  }
  return json + "]}";
}

}  // namespace portcullis::audit
