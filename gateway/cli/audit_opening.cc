#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <ctime>
#include <iostream>

#include "audit/count.h"
#include "audit/key_folder.h"
#include "audit/layout.h"
#include "audit/note.h"
#include "gateway/cli/audit_read.h"
#include "gateway/cli/days.h"

namespace portcullis::cli {

namespace json = boost::json;

std::string TimeText(uint64_t wall_us) {
  const auto seconds = static_cast<std::time_t>(wall_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

json::object Summary(const audit::Leaf& leaf, const audit::Hash& leaf_hash) {
  json::object out{{"schema", "portcullis.audit.record/1"}};
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

json::object Contents(const std::vector<audit::Part>& parts) {
  json::object content;
  for (const audit::Part& part : parts) content[audit::PartName(part.type)] = part.bytes;
  return content;
}

json::array PartNames(const std::vector<audit::PartType>& parts) {
  json::array names;
  for (const audit::PartType part : parts) names.emplace_back(audit::PartName(part));
  return names;
}

void PrintLine(const audit::Leaf& leaf) {
  std::cout << leaf.seq << "\t" << TimeText(leaf.wall_us) << "\t" << audit::KindName(leaf.kind) << "\t"
            << leaf.outcome << "\t" << audit::Hex(leaf.request_id) << "\n";
}

std::string ForTerminal(const std::string& text) {
  if (::isatty(STDOUT_FILENO) != 1) return text;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) ++i;
    if (c1 || byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t')) out += "\xef\xbf\xbd";
    else out += text[i];
  }
  return out;
}

void AddKeyOptions(CLI::App& command, OpeningArguments& arguments) {
  command.add_option("--auditor-key", arguments.auditor_keys, "an auditor's secret key, to open contents");
  command.add_option("--release", arguments.releases, "a release file with a subject's keys");
  command.add_option("--keys", arguments.keys, "on the box: folder of the keys, for the subjects' keys");
}

void AddOpeningOptions(CLI::App& command, OpeningArguments& arguments) {
  AddKeyOptions(command, arguments);
  command.add_option("--share", arguments.shares, "in two-person mode, in place of the other's key: his share (audit share)");
}

audit::Result<void> Opening::Prepare(const OpeningArguments& arguments, const audit::VerifierKey& log_key) {
  for (const std::string& file : arguments.auditor_keys) {
    BOOST_OUTCOME_TRY(auto secret, audit::ReadAuditorSecret(file));
    secrets_.push_back(std::move(secret));
    pointers_.push_back(&secrets_.back());
  }
  for (const std::string& file : arguments.shares) {
    BOOST_OUTCOME_TRY(const audit::ShareHead share, shares_.AddFile(file, log_key.name, pointers_));
    std::cerr << file << ": a share that says it is by the key " << audit::Hex(share.from) << " of " << TimeText(share.made_us)
              << ", for " << audit::CountedRecords(share.records) << ": " << share.reason << "\n";
  }
  if (!arguments.keys.empty()) {
    BOOST_OUTCOME_TRY(audit::CheckKeysAreOf(arguments.keys, log_key));
    BOOST_OUTCOME_TRY(store_, audit::OpenKeyStore(arguments.keys, audit::KeyStore::Mode::kReadOnly));
    source_ = store_.get();
    return audit::Ok();
  }
  for (const std::string& file : arguments.releases) {
    BOOST_OUTCOME_TRY(released_.AddFile(file, log_key.name, pointers_));
  }
  source_ = &released_;
  return audit::Ok();
}

void AddPeriodOptions(CLI::App& command, PeriodArguments& arguments) {
  command.add_option("--from", arguments.from, "first day, UTC, like 2026-10-01");
  command.add_option("--to", arguments.to, "last day, UTC, included");
}

std::optional<audit::Period> PeriodOf(Context& context, const PeriodArguments& arguments) {
  audit::Period period;
  const auto read = [&](const char* option, const std::string& text, uint64_t& out, uint64_t add) {
    if (text.empty()) return true;
    const auto day = DayOf(text);
    if (day) out = *day + add;
    else Fail(context, kUsage, NoDay(option, text));
    return day.has_value();
  };
  if (!read("--from", arguments.from, period.begin_us, 0)) return std::nullopt;
  if (!read("--to", arguments.to, period.end_us, kDayUs)) return std::nullopt;
  if (period.begin_us >= period.end_us) {
    Fail(context, kUsage, "--from is after --to: there is no day between them");
    return std::nullopt;
  }
  return period;
}

}  // namespace portcullis::cli
