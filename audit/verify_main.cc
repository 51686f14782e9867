// portcullis-verify: the auditor's own program. Links the audit and certs islands only. Exit 0 for a
// valid log, 3 for any other verdict, 1 for wrong usage.

#include <iostream>
#include <list>
#include <string>
#include <string_view>

#include "audit/file.h"
#include "audit/heads.h"
#include "audit/key_folder.h"
#include "audit/layout.h"
#include "audit/progress.h"
#include "audit/release.h"
#include "audit/verify.h"
#include "certs/secret.h"

namespace {

constexpr std::string_view kUsage =
    "usage: portcullis-verify DIR [--key FILE] [--witness FILE]... [--seen FILE]... [--receipt FILE|TEXT]...\n"
    "                         [--auditors FILE] [--auditor-key FILE]... [--keys DIR | --release FILE...]\n"
    "                         [--share FILE]... [--json]\n"
    "\n"
    "Checks an audit log without trusting the machine that wrote it.\n"
    "  DIR                the log's folder (with segments/, checkpoint, log.pub)\n"
    "  --key FILE         the log's verifier key, brought by another way than DIR\n"
    "  --witness FILE     verifier keys of witnesses that you trust\n"
    "  --seen FILE        a checkpoint of this log that somebody kept: the log must contain it\n"
    "  --receipt FILE|TEXT  receipts of this log (x-portcullis-receipt) that somebody holds: it must contain their records\n"
    "  --auditors FILE    the auditors: records sealed to anybody else are an error\n"
    "  --auditor-key FILE an auditor's secret key: also opens every record sealed to it (twice in two-person mode)\n"
    "  --release FILE     released subject keys, for --auditor-key\n"
    "  --share FILE       in two-person mode, in place of the other auditor's key: his share of some records\n"
    "  --keys DIR         on the appliance: its key store; alone, every key must be there or erased\n"
    "  --threads N        default: all\n"
    "  --json             one JSON document on standard output\n"
    "exit: 0 valid, 3 not valid, 1 wrong usage\n";

int Usage(const std::string& why) {
  std::cerr << "portcullis-verify: " << why << "\n\n" << kUsage;
  return 1;
}

struct Arguments {
  std::string folder, key_file, keys_folder, auditors, threads;
  std::vector<std::string> witnesses, seen, receipts, auditor_keys, releases, shares;
  bool json = false;
};

// Empty: go on. Otherwise the words of a usage error; "help" for --help.
std::string Parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    std::string* one = argument == "--key"        ? &out.key_file
                       : argument == "--keys"     ? &out.keys_folder
                       : argument == "--auditors" ? &out.auditors
                       : argument == "--threads"  ? &out.threads
                                                  : nullptr;
    std::vector<std::string>* many = argument == "--witness"       ? &out.witnesses
                                     : argument == "--seen"        ? &out.seen
                                     : argument == "--receipt"     ? &out.receipts
                                     : argument == "--auditor-key" ? &out.auditor_keys
                                     : argument == "--release"     ? &out.releases
                                     : argument == "--share"       ? &out.shares
                                                                   : nullptr;
    if (argument == "--help" || argument == "-h") return "help";
    if (argument == "--json") {
      out.json = true;
    } else if (one != nullptr || many != nullptr) {
      if (++i == argc) return "`" + std::string(argument) + "` needs a value";
      if (one != nullptr) *one = argv[i];
      if (many != nullptr) many->emplace_back(argv[i]);
    } else if (argument.starts_with("-")) {
      return "unknown option `" + std::string(argument) + "`";
    } else if (out.folder.empty()) {
      out.folder = argument;
    } else {
      return "more than one folder";
    }
  }
  if (out.folder.empty()) return "which folder?";
  if (!out.releases.empty() && (out.auditor_keys.empty() || !out.keys_folder.empty())) {
    return "--release goes with --auditor-key and without --keys";
  }
  if (!out.auditor_keys.empty() && out.releases.empty() && out.keys_folder.empty()) {
    return "--auditor-key needs the subjects' keys: --release or --keys";
  }
  if (!out.shares.empty() && out.auditor_keys.empty()) return "--share goes with --auditor-key";
  return {};
}

// Secrets and key sources that the options point to.
struct Held {
  std::list<portcullis::certs::SecretBytes> secrets;
  std::unique_ptr<portcullis::audit::KeyStore> store;
  portcullis::audit::ReleasedKeys released;
  portcullis::audit::Shares shares;
};

portcullis::audit::Result<void> Load(const Arguments& arguments, portcullis::audit::VerifyOptions& options,
                                     Held& held) {
  using namespace portcullis::audit;
  options.log_folder = arguments.folder;
  if (!arguments.threads.empty()) {
    BOOST_OUTCOME_TRY(const uint64_t threads, ParseDecimal(arguments.threads));
    options.threads = static_cast<unsigned>(std::min<uint64_t>(threads, 64));
  }
  if (!arguments.key_file.empty()) {
    BOOST_OUTCOME_TRY(options.key, ReadVerifierKey(arguments.key_file));
  }
  for (const std::string& file : arguments.witnesses) {
    BOOST_OUTCOME_TRY(const std::string text, ReadFile(file, kMaxNote));
    BOOST_OUTCOME_TRY(const auto keys, ParseVerifierKeys(text));
    options.witnesses.insert(options.witnesses.end(), keys.begin(), keys.end());
  }
  // What is brought along belongs to the log of the key given or of the folder's, which may be its successor.
  const auto own = ReadLogKey(arguments.folder);
  const std::optional<VerifierKey> key = options.key ? options.key : own ? std::optional(own.value()) : std::nullopt;
  BOOST_OUTCOME_TRY(ReadSeen(arguments.seen, options));
  for (const std::string& one : arguments.receipts) {
    if (!key) break;
    BOOST_OUTCOME_TRY(const auto receipts, OpenReceipts(one, arguments.folder, *key));
    options.receipts.insert(options.receipts.end(), receipts.begin(), receipts.end());
  }
  if (!arguments.auditors.empty()) {
    BOOST_OUTCOME_TRY(options.auditors, ReadAuditorsFile(arguments.auditors));
  }
  for (const std::string& file : arguments.auditor_keys) {
    BOOST_OUTCOME_TRY(auto secret, ReadAuditorSecret(file));
    held.secrets.push_back(std::move(secret));
    options.auditor_secrets.push_back(&held.secrets.back());
  }
  if (!arguments.keys_folder.empty()) {
    if (key && !(own && CheckKeysAreOf(arguments.keys_folder, own.value()))) {
      BOOST_OUTCOME_TRY(CheckKeysAreOf(arguments.keys_folder, *key));
    }
    BOOST_OUTCOME_TRY(held.store, OpenKeyStore(arguments.keys_folder, KeyStore::Mode::kReadOnly));
    options.keys = held.store.get();
  }
  if (arguments.releases.empty() && arguments.shares.empty()) return Ok();
  BOOST_OUTCOME_TRY(const VerifierKey log, ReadLogKey(arguments.folder));
  for (const std::string& file : arguments.shares) {
    BOOST_OUTCOME_TRY(held.shares.AddFile(file, log.name, options.auditor_secrets));
  }
  options.shares = &held.shares;
  if (arguments.releases.empty()) return Ok();
  for (const std::string& file : arguments.releases) {
    BOOST_OUTCOME_TRY(held.released.AddFile(file, log.name, options.auditor_secrets));
  }
  options.keys = &held.released;
  options.all_keys = false;
  return Ok();
}

int Run(int argc, char** argv) {
  using namespace portcullis;
  Arguments arguments;
  const std::string trouble = Parse(argc, argv, arguments);
  if (trouble == "help") {
    std::cout << kUsage;
    return 0;
  }
  if (!trouble.empty()) return Usage(trouble);
  audit::VerifyOptions options;
  Held held;
  if (auto loaded = Load(arguments, options, held); !loaded) return Usage(loaded.error().message);
  audit::Progress progress("verify", audit::LogBytes(options.log_folder));
  options.progress = progress.Sink();
  const audit::Report report = audit::VerifyLog(options);
  progress.Finish();
  std::cout << (arguments.json ? audit::ReportJson(report) + "\n" : audit::ReportText(report));
  return audit::IsValid(report.verdict) ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    portcullis::certs::InitSodium();
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "portcullis-verify: " << error.what() << "\n";
    return 3;
  }
}
