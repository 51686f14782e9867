// The offline verifier: reads a log folder and says what can be proved about it. Needs no secret; with
// an auditor's key and the released subject keys it also opens every record. Safe to run beside a
// working writer. The verdicts and what each proves: VERDICTS in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/note.h"
#include "audit/scan.h"
#include "certs/secret.h"

namespace portcullis::audit {

// DO NOT CHANGE THE NAMES: scripts read them.
enum class Verdict {
  kValidSelfAttested,
  kValidWithRecovery,
  kIncomplete,
  kTampered,
  kRolledBack,
  kForked,
};
std::string_view VerdictName(Verdict verdict);
bool IsValid(Verdict verdict);

struct VerifyOptions {
  std::filesystem::path log_folder;
  std::optional<VerifierKey> key;                       // none: log.pub of the folder, self-attested
  const certs::SecretBytes* auditor_secret = nullptr;   // with `store`: decrypt everything
  KeyStore* store = nullptr;
};

struct Report {
  Verdict verdict = Verdict::kIncomplete;
  std::optional<uint64_t> first_bad_seq;
  std::string reason;                // of a verdict that is not valid
  std::vector<std::string> notes;    // what else the reader should know
  std::string origin;
  bool key_given = false;
  bool live = false;
  uint64_t records = 0;
  uint64_t batches = 0;
  uint64_t segments = 0;
  uint64_t checkpoint_size = 0;
  Hash root{};
  uint64_t requests = 0;
  uint64_t open_requests = 0;        // of the running boot, not closed yet
  uint64_t recoveries = 0;
  uint64_t decrypted = 0;            // records opened
};

Report VerifyLog(const VerifyOptions& options);

std::string ReportText(const Report& report);
std::string ReportJson(const Report& report);

}  // namespace portcullis::audit
