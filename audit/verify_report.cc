// A verification in words and as JSON (`portcullis.audit.verify/1`).

#include "audit/count.h"
#include "audit/json.h"
#include "audit/verify.h"

#include <algorithm>
#include <ctime>

namespace portcullis::audit {
namespace {

std::string TimeText(uint64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[40];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string List(const std::vector<std::string>& lines) {
  std::string out = "[";
  for (const std::string& line : lines) out += (out.size() > 1 ? "," : "") + JsonQuoted(line);
  return out + "]";
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kValidWitnessed: return "VALID-WITNESSED";
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
  return verdict == Verdict::kValidWitnessed || verdict == Verdict::kValidSelfAttested ||
         verdict == Verdict::kValidWithRecovery;
}

std::string ReportText(const Report& report) {
  std::string text(VerdictName(report.verdict));
  text += "\n";
  if (!report.reason.empty()) {
    if (report.first_bad_seq) text += "  first bad seq: " + std::to_string(*report.first_bad_seq) + "\n";
    text += "  reason: " + report.reason + "\n";
  }
  text += "  log: " + report.origin + "\n";
  text += "  key: " + report.key + (report.key_given ? " (given)" : " (the log's own)") + "\n";
  text += "  proved: " + CountedRecords(report.records) + " in " + Counted(report.batches, "batch", "batches") + " and " +
          Counted(report.segments, "segment", "segments") + ", checkpoint at " + std::to_string(report.checkpoint_size) + "\n";
  if (report.records > 0) {
    text += "  from " + TimeText(report.first_us / 1'000'000) + " to " + TimeText(report.last_us / 1'000'000) + "\n";
  }
  for (const WitnessSeen& seen : report.witnesses) {
    text += "  witness: " + seen.name + " saw " + CountedRecords(seen.size) + " at " + TimeText(seen.time) + "\n";
  }
  for (const KeptSeen& kept : report.kept) {
    text += "  contains: the checkpoint of " + CountedRecords(kept.size) + " that was given, root " + Base64(kept.root) + "\n";
  }
  if (report.auditors_checked) text += "  sealed: to the auditors given, and to nobody else\n";
  if (!report.receipts.empty()) {
    const auto found = std::count_if(report.receipts.begin(), report.receipts.end(),
                                     [](const ReceiptSeen& one) { return one.in_log; });
    text += "  receipts: " + std::to_string(report.receipts.size()) + " given, in the log " + std::to_string(found) + "\n";
  }
  text += "  requests: " + std::to_string(report.requests) + ", open " +
          std::to_string(report.open_requests) + ", recoveries " + std::to_string(report.recoveries) +
          ", overrides " + std::to_string(report.overrides) + ", erased records " +
          std::to_string(report.erased) + ", shredded parts " + std::to_string(report.shredded) + "\n";
  if (!report.years.empty()) {
    text += "  tag keys destroyed:";
    for (const uint32_t year : report.years) text += " " + std::to_string(year);
    text += " (nobody can be found by name in the records of these years)\n";
  }
  if (report.counter) {
    text += "  hardware counter: at " + std::to_string(report.counter->value) + " in record " +
            std::to_string(report.counter->seq) + (report.counter->answers ? "" : ", and it did not answer then") +
            ", name " + Hex(report.counter->name) + "\n";
  }
  if (report.keys_checked > 0) text += "  subject keys: " + std::to_string(report.keys_checked) + " present\n";
  if (report.decrypted > 0) text += "  opened: " + CountedRecords(report.decrypted) + "\n";
  if (report.for_others > 0) text += "  for other auditors: " + CountedRecords(report.for_others) + "\n";
  text += "  root: " + Base64(report.root) + "\n";
  for (const std::string& line : report.warnings) text += "  warning: " + line + "\n";
  for (const std::string& line : report.notes) text += "  note: " + line + "\n";
  for (const std::string& line : report.unproved) text += "  not proved: " + line + "\n";
  return text;
}

std::string ReportJson(const Report& report) {
  JsonObject json;
  json.Add("schema", "portcullis.audit.verify/1");
  json.Add("verdict", VerdictName(report.verdict));
  json.Add("valid", IsValid(report.verdict));
  if (report.first_bad_seq) {
    json.Add("first_bad_seq", *report.first_bad_seq);
  } else {
    json.AddNull("first_bad_seq");
  }
  json.Add("reason", report.reason);
  json.Add("origin", report.origin);
  json.Add("key", report.key);
  json.Add("key_given", report.key_given);
  json.Add("live", report.live);
  json.Add("records", report.records);
  json.Add("batches", report.batches);
  json.Add("segments", report.segments);
  json.Add("checkpoint_size", report.checkpoint_size);
  json.Add("requests", report.requests);
  json.Add("open_requests", report.open_requests);
  json.Add("recoveries", report.recoveries);
  json.Add("overrides", report.overrides);
  json.Add("erased", report.erased);
  json.Add("shredded", report.shredded);
  std::string years;
  for (const uint32_t year : report.years) years += (years.empty() ? "" : ",") + std::to_string(year);
  json.AddRaw("tag_keys_destroyed", "[" + years + "]");
  json.Add("decrypted", report.decrypted);
  json.Add("sealed_to_others", report.for_others);
  json.Add("keys_checked", report.keys_checked);
  json.Add("first_us", report.first_us);
  json.Add("last_us", report.last_us);
  json.Add("root", Base64(report.root));
  if (report.counter) {
    JsonObject counter;
    counter.Add("name", Hex(report.counter->name));
    counter.Add("value", report.counter->value);
    counter.Add("answers", report.counter->answers);
    counter.Add("seq", report.counter->seq);
    json.AddRaw("hardware_counter", counter.Text());
  } else {
    json.AddNull("hardware_counter");
  }
  std::string witnesses;
  for (const WitnessSeen& seen : report.witnesses) {
    JsonObject one;
    one.Add("name", seen.name);
    one.Add("size", seen.size);
    one.Add("time", seen.time);
    witnesses += (witnesses.empty() ? "" : ",") + one.Text();
  }
  json.AddRaw("witnesses", "[" + witnesses + "]");
  std::string kept;
  for (const KeptSeen& seen : report.kept) {
    JsonObject one;
    one.Add("size", seen.size);
    one.Add("root", Base64(seen.root));
    kept += (kept.empty() ? "" : ",") + one.Text();
  }
  json.AddRaw("kept_checkpoints", "[" + kept + "]");
  json.Add("auditors_checked", report.auditors_checked);
  std::string receipts;
  for (const ReceiptSeen& seen : report.receipts) {
    JsonObject one;
    one.Add("seq", seen.seq);
    one.Add("in_log", seen.in_log);
    receipts += (receipts.empty() ? "" : ",") + one.Text();
  }
  json.AddRaw("receipts", "[" + receipts + "]");
  json.AddRaw("warnings", List(report.warnings));
  json.AddRaw("notes", List(report.notes));
  json.AddRaw("unproved", List(report.unproved));
  return json.Text();
}

}  // namespace portcullis::audit
