// What the reading commands of `portcullis audit` share: a record as a line or as JSON, days, and the
// keys that open contents. A content needs an auditor's secret key and the subject's key, from a release
// file (anywhere) or from the key store (on the box only).
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "audit/release.h"
#include "audit/report/period.h"
#include "audit/share.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {

void AddAuditRead(CLI::App& noun, Context& context);    // show, tail
void AddAuditSearch(CLI::App& noun, Context& context);  // search, index
void AddAuditExport(CLI::App& noun, Context& context);
void AddAuditPart(CLI::App& noun, Context& context);    // release-part, open-part
void AddAuditReceipt(CLI::App& noun, Context& context);
void AddAuditShare(CLI::App& noun, Context& context);

boost::json::object Summary(const audit::Leaf& leaf, const audit::Hash& leaf_hash);
boost::json::object Contents(const std::vector<audit::Part>& parts);
boost::json::array PartNames(const std::vector<audit::PartType>& parts);
std::string TimeText(uint64_t wall_us);  // "2026-11-22T08:30:00Z"
void PrintLine(const audit::Leaf& leaf);
// What a caller wrote must not steer the terminal of who reads it: control characters, also those that
// UTF-8 spells with two bytes (C1), become U+FFFD. Files and pipes get the bytes.
std::string ForTerminal(const std::string& text);

struct OpeningArguments {
  std::vector<std::string> auditor_keys, releases, shares;
  std::string keys;

  bool any() const { return !auditor_keys.empty() && (!keys.empty() || !releases.empty()); }
  bool half() const { return !any() && !(auditor_keys.empty() && keys.empty() && releases.empty() && shares.empty()); }
};
void AddOpeningOptions(CLI::App& command, OpeningArguments& arguments);
void AddKeyOptions(CLI::App& command, OpeningArguments& arguments);  // without --share

// The keys, in memory that is wiped. Says on standard error of each share whose it is, and what for. Must outlive the opener that uses them.
class Opening {
 public:
  audit::Result<void> Prepare(const OpeningArguments& arguments, const audit::VerifierKey& log_key);
  audit::RecordOpener MakeOpener(const std::string& origin) const {
    return audit::RecordOpener(origin, source_, pointers_, &shares_);
  }
  const std::vector<const certs::SecretBytes*>& secrets() const { return pointers_; }
  audit::SubjectKeySource* source() const { return source_; }
  const audit::Shares* shares() const { return &shares_; }

 private:
  std::list<certs::SecretBytes> secrets_;
  std::vector<const certs::SecretBytes*> pointers_;
  std::unique_ptr<audit::KeyStore> store_;
  audit::ReleasedKeys released_;
  audit::Shares shares_;
  audit::SubjectKeySource* source_ = nullptr;
};

struct PeriodArguments {
  std::string from, to;
};
void AddPeriodOptions(CLI::App& command, PeriodArguments& arguments);
// Nothing after a failure, which it reports.
std::optional<audit::Period> PeriodOf(Context& context, const PeriodArguments& arguments);

}  // namespace portcullis::cli
