// The offline verifier: reads a log folder and says what can be proved about it, against which keys and
// witnesses, and what cannot be proved. Needs no secret; with an auditor's key and the subjects' keys it
// also opens every record. Safe to run beside a working writer. The verdicts and what each proves:
// VERDICTS in FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/auditors.h"
#include "audit/closure.h"
#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/note.h"
#include "audit/receipt.h"
#include "audit/scan.h"
#include "audit/share.h"
#include "certs/secret.h"

namespace portcullis::audit {

// DO NOT CHANGE THE NAMES: scripts read them.
enum class Verdict {
  kValidWitnessed,
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
  std::vector<VerifierKey> witnesses;                   // trusted by who verifies
  std::vector<std::string> seen;                        // checkpoints that others hold (signed notes)
  std::vector<Receipt> receipts;                        // of this log, which others hold: OpenReceipts
  std::optional<AuditorPolicy> auditors;                // nobody else may be sealed to
  std::vector<const certs::SecretBytes*> auditor_secrets;  // with `keys`: decrypt everything
  const Shares* shares = nullptr;                       // of other auditors, for records of two-person mode
  SubjectKeySource* keys = nullptr;                     // alone: every key must be there
  bool all_keys = true;                                 // false: a release, the records of others stay closed
  ScanProgress progress;                                // none: nobody wants to know
  unsigned threads = 0;                                 // 0: all
};

struct WitnessSeen {
  std::string name;
  uint64_t size = 0;
  uint64_t time = 0;  // seconds since 1970
};

struct KeptSeen {
  uint64_t size = 0;
  Hash root{};
};

struct ReceiptSeen {
  uint64_t seq = 0;
  bool in_log = false;  // its record stands there
};

struct Report {
  Verdict verdict = Verdict::kIncomplete;
  std::optional<uint64_t> first_bad_seq;
  std::string reason;                // of a verdict that is not valid
  std::vector<std::string> notes;    // what else the reader should know
  std::vector<std::string> warnings; // damaged caches, which prove nothing either way
  std::vector<std::string> unproved; // what this verification cannot show
  std::string origin;
  std::string key;                   // the verifier key it was checked against
  bool key_given = false;
  bool live = false;
  uint64_t records = 0;
  uint64_t batches = 0;
  uint64_t segments = 0;
  uint64_t checkpoint_size = 0;
  Hash root{};
  std::vector<WitnessSeen> witnesses;
  std::vector<KeptSeen> kept;        // checkpoints given which this log contains, the smallest first
  bool auditors_checked = false;     // every record is sealed to the auditors given, and to nobody else
  std::vector<ReceiptSeen> receipts; // of those given, by seq
  uint64_t requests = 0;
  uint64_t open_requests = 0;        // of the running boot, not closed yet
  uint64_t recoveries = 0;
  uint64_t overrides = 0;
  uint64_t erased = 0;               // records whose payload was destroyed, with an ERASE
  uint64_t shredded = 0;             // parts destroyed alone, each with an ERASE
  std::set<uint32_t> years;          // whose tag keys are destroyed, as the log says
  uint64_t decrypted = 0;            // records opened
  uint64_t closed = 0;               // records whose key was not among those released
  uint64_t for_others = 0;           // records that open only with other auditors' keys
  uint64_t keys_checked = 0;         // subject keys found
  uint64_t auditor_policies = 0;     // different ones that were in force
  std::optional<CounterSeen> counter;  // in hardware, as the last BOOT or HEARTBEAT says
  uint64_t first_us = 0, last_us = 0;  // wall clock of the first and last record
};

Report VerifyLog(const VerifyOptions& options);

// The receipts in `text_or_file`, to be given with the options. kInvalidArgument for one that this log has not
// given: that is wrong usage. Where the log's list of days is no good, the verdict says so.
Result<std::vector<Receipt>> OpenReceipts(const std::string& text_or_file, const std::filesystem::path& log_folder,
                                          const VerifierKey& key);

std::string ReportText(const Report& report);
std::string ReportJson(const Report& report);

}  // namespace portcullis::audit
