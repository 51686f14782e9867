// `portcullis audit report`: the compliance report of a period, as one HTML page and as JSON. Reads the
// log twice, once to verify all of it and once to count; with an auditor's key and the subject keys it
// opens what it counts. The page is written beside its name and put in place when it is whole.
#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/reader.h"
#include "audit/report/collect.h"
#include "audit/report/document.h"
#include "audit/scan.h"
#include "audit/verify.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {
namespace {

struct Arguments {
  std::string log, key, from, to, keys, auditor_key, organisation, out;
};

// Midnight UTC of a day "2026-11-22", in microseconds; nothing where it is no day.
std::optional<uint64_t> Day(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  if (end == nullptr || *end != '\0' || text.size() != 10) return std::nullopt;
  const int day = parts.tm_mday;
  const std::time_t seconds = ::timegm(&parts);
  if (seconds < 0 || parts.tm_mday != day) return std::nullopt;  // 30 February
  return static_cast<uint64_t>(seconds) * 1'000'000;
}

constexpr uint64_t kDayUs = uint64_t{24} * 3600 * 1'000'000;

// Opens what it can and hands every record to the collector.
class Counting : public audit::ScanVisitor {
 public:
  Counting(audit::RecordOpener* opener, audit::Period period) : opener_(opener), collector_(period) {}

  void OnRecord(const audit::ScannedRecord& record) override {
    std::optional<std::vector<audit::Part>> parts;
    if (opener_ != nullptr) {
      if (record.leaf.kind == audit::Kind::kKey) {
        opener_->TakeKey(record.leaf, record.payload);
      } else if (record.leaf.parts > 0) {
        auto opened = opener_->Open(record.leaf, record.payload);
        if (opened) parts = std::move(opened).value();
      }
    }
    collector_.Take(record.leaf, parts);
  }
  const audit::PeriodFacts& facts() const { return collector_.facts(); }

 private:
  audit::RecordOpener* opener_;
  audit::Collector collector_;
};

std::optional<audit::Period> PeriodOf(Context& context, const Arguments& arguments) {
  audit::Period period;
  if (!arguments.from.empty()) {
    const auto day = Day(arguments.from);
    if (!day) {
      Fail(context, kUsage, "--from: `" + arguments.from + "` is no day; write it as 2026-11-22");
      return std::nullopt;
    }
    period.begin_us = *day;
  }
  if (!arguments.to.empty()) {
    const auto day = Day(arguments.to);
    if (!day) {
      Fail(context, kUsage, "--to: `" + arguments.to + "` is no day; write it as 2026-11-22");
      return std::nullopt;
    }
    period.end_us = *day + kDayUs;
  }
  if (period.begin_us >= period.end_us) {
    Fail(context, kUsage, "--from is after --to: there is no day between them");
    return std::nullopt;
  }
  return period;
}

void Write(Context& context, const Arguments& arguments, const audit::ReportDocument& document) {
  if (!arguments.out.empty() && !context.dry_run) {
    const auto written = audit::ReplaceFile(arguments.out, audit::ReportPageHtml(document), true);
    if (!written) return Fail(context, kUsage, written.error().message);
    std::cerr << "wrote " << arguments.out << ": " << document.facts.records << " records, "
              << audit::VerdictName(document.verified.verdict) << "\n";
  }
  if (context.json) std::cout << audit::ReportPageJson(document) << "\n";
  else if (arguments.out.empty()) std::cout << audit::ReportPageHtml(document);
  context.exit_code = audit::IsValid(document.verified.verdict) ? kOk : kNo;
}

void MakeReport(Context& context, const Arguments& arguments) {
  const auto period = PeriodOf(context, arguments);
  if (!period) return;
  const auto log_key = audit::ReadLogKey(arguments.log);
  if (!log_key) return Fail(context, kUsage, log_key.error().message);
  audit::VerifyOptions verify;
  verify.log_folder = arguments.log;
  if (!arguments.key.empty()) {
    const auto key = audit::ReadVerifierKey(arguments.key);
    if (!key) return Fail(context, kUsage, key.error().message);
    verify.key = key.value();
  }
  if (arguments.auditor_key.empty() != arguments.keys.empty()) {
    return Fail(context, kUsage, "--auditor-key and --keys open records together; give both or none");
  }
  std::optional<certs::SecretBytes> secret;
  std::unique_ptr<audit::KeyStore> store;
  std::optional<audit::RecordOpener> opener;
  if (!arguments.auditor_key.empty()) {
    auto read = audit::ReadAuditorSecret(arguments.auditor_key);
    if (!read) return Fail(context, kUsage, read.error().message);
    secret = std::move(read).value();
    auto opened = audit::OpenKeyStore(arguments.keys, audit::KeyStore::Mode::kReadOnly);
    if (!opened) return Fail(context, kUsage, opened.error().message);
    store = std::move(opened).value();
    opener.emplace(log_key.value().name, store.get(), std::vector<const certs::SecretBytes*>{&*secret});
  }
  const audit::Report verified = audit::VerifyLog(verify);
  Counting counting(opener ? &*opener : nullptr, *period);
  audit::ScanOptions scan;
  scan.live = audit::IsLocked(audit::LogLayout(arguments.log).lock());
  audit::ScanLog(arguments.log, log_key.value(), scan, &counting);
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
  report->add_option("--from", arguments->from, "first day, UTC, like 2026-10-01");
  report->add_option("--to", arguments->to, "last day, UTC, included");
  report->add_option("--key", arguments->key, "the log's verifier key from elsewhere");
  report->add_option("--auditor-key", arguments->auditor_key, "an auditor's secret key, to read decisions");
  report->add_option("--keys", arguments->keys, "folder of the keys, for the subjects' keys");
  report->add_option("--organisation", arguments->organisation, "name at the head of the page");
  report->add_option("--out", arguments->out, "file for the page; else it goes to standard output");
  report->callback([&context, arguments] { MakeReport(context, *arguments); });
}

}  // namespace portcullis::cli
