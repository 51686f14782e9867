// portcullis-verify: the auditor's own program. Links the audit and certs islands only. Exit 0 for a
// valid log, 3 for any other verdict, 1 for wrong usage.

#include <iostream>
#include <string>
#include <string_view>

#include "audit/layout.h"
#include "audit/verify.h"
#include "certs/secret.h"

namespace {

constexpr std::string_view kUsage =
    "usage: portcullis-verify DIR [--key FILE] [--auditor-key FILE --keys DIR] [--json]\n"
    "\n"
    "Checks an audit log without trusting the machine that wrote it.\n"
    "  DIR                the log's folder (with segments/, checkpoint, log.pub)\n"
    "  --key FILE         the log's verifier key, brought by another way than DIR\n"
    "  --auditor-key FILE an auditor's secret key: also opens every record\n"
    "  --keys DIR         the key store with the subject keys, for --auditor-key\n"
    "  --json             one JSON document on standard output\n"
    "exit: 0 valid, 3 not valid, 1 wrong usage\n";

int Usage(const std::string& why) {
  std::cerr << "portcullis-verify: " << why << "\n\n" << kUsage;
  return 1;
}

int Run(int argc, char** argv) {
  using namespace portcullis;
  std::string folder, key_file, auditor_file, keys_folder;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    std::string* value = argument == "--key"           ? &key_file
                         : argument == "--auditor-key" ? &auditor_file
                         : argument == "--keys"        ? &keys_folder
                                                       : nullptr;
    if (argument == "--help" || argument == "-h") {
      std::cout << kUsage;
      return 0;
    }
    if (argument == "--json") {
      json = true;
    } else if (value != nullptr) {
      if (++i == argc) return Usage("`" + std::string(argument) + "` needs a value");
      *value = argv[i];
    } else if (argument.starts_with("-")) {
      return Usage("unknown option `" + std::string(argument) + "`");
    } else if (folder.empty()) {
      folder = argument;
    } else {
      return Usage("more than one folder");
    }
  }
  if (folder.empty()) return Usage("which folder?");
  if (auditor_file.empty() != keys_folder.empty()) {
    return Usage("--auditor-key and --keys go together");
  }

  audit::VerifyOptions options;
  options.log_folder = folder;
  if (!key_file.empty()) {
    auto key = audit::ReadVerifierKey(key_file);
    if (!key) return Usage(key.error().message);
    options.key = key.value();
  }
  certs::SecretBytes auditor;
  std::unique_ptr<audit::KeyStore> store;
  if (!auditor_file.empty()) {
    auto secret = audit::ReadAuditorSecret(auditor_file);
    if (!secret) return Usage(secret.error().message);
    auditor = std::move(secret.value());
    auto opened = audit::OpenKeyStore(keys_folder, audit::KeyStore::Mode::kReadOnly);
    if (!opened) return Usage(opened.error().message);
    store = std::move(opened.value());
    options.auditor_secret = &auditor;
    options.store = store.get();
  }
  const audit::Report report = audit::VerifyLog(options);
  std::cout << (json ? audit::ReportJson(report) + "\n" : audit::ReportText(report));
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
