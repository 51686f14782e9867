#include "audit/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include "audit/closure.h"
#include "audit/daykey.h"
#include "audit/file.h"
#include "audit/count.h"
#include "audit/heads.h"
#include "audit/layout.h"
#include "audit/reader.h"
#include "audit/succession.h"
#include "audit/tile_check.h"
#include "audit/tiles.h"

namespace portcullis::audit {
namespace {

class Checks : public ScanVisitor {
 public:
  Checks(const VerifyOptions& options, std::string_view origin)
      : options_(options), opener_(origin, options.keys, options.auditor_secrets, options.shares),
        tiles_(LogLayout(options.log_folder).tiles()), receipts_(options.receipts) {
    std::sort(receipts_.begin(), receipts_.end(), [](const Receipt& a, const Receipt& b) { return a.seq < b.seq; });
    for (const Receipt& receipt : receipts_) seen_.push_back({receipt.seq, false});
    if (!options.auditors) return;
    for (const Auditor& auditor : options.auditors->auditors) allowed_.insert(KeyIdOf(auditor.key));
  }

  void OnRecord(const ScannedRecord& record) override {
    const Leaf& leaf = record.leaf;
    closure_.Take(leaf, record.erased, record.shredded);
    tiles_.Take(record);
    for (; met_ < receipts_.size() && receipts_[met_].seq == leaf.seq; ++met_) {
      seen_[met_].in_log = receipts_[met_].leaf_hash == record.leaf_hash;
    }
    if (leaf.seq == 0) first_us_ = leaf.wall_us;
    last_us_ = leaf.wall_us;
    if (leaf.kind == Kind::kBoot) policies_.insert(leaf.policy_hash);
    if (leaf.kind == Kind::kKey && !record.erased) TakeKey(leaf, record.payload);
    if (options_.auditor_secrets.empty() || options_.keys == nullptr || record.erased) return;
    if (leaf.kind == Kind::kKey || leaf.parts == 0) return;
    const auto opened = opener_.Open(leaf, record.payload);
    if (!opened && opened.error().code == Code::kOtherAuditor) return void(++for_others_);
    if (!opened) return Miss(leaf, opened.error(), closed_);
    ++decrypted_;
    for (const PartType part : opened.value().shredded) {
      if ((record.shredded & PartBit(part)) == 0) shredded_.emplace_back(leaf, part);
    }
  }

  void OnSegment(const SegmentHeader& header, uint64_t) override { days_.emplace(header.day, header.writer); }

  // Keys that are missing although no ERASE says so. After the last record.
  std::optional<Fault> KeyFault() {
    for (const auto& [leaf, error] : missing_) {
      if (error.code == Code::kNotFound && closure_.KeyDestroyed(leaf)) continue;
      if (!key_fault_ || leaf.seq < key_fault_->seq) key_fault_ = Fault{error.code, leaf.seq, error.message};
    }
    for (const auto& [leaf, part] : shredded_) {
      if (closure_.PartShredded(leaf, part) || (key_fault_ && key_fault_->seq <= leaf.seq)) continue;
      key_fault_ = Fault{Code::kNotFound, leaf.seq, PartShredded(leaf.seq, part).message + ", and no ERASE record says so"};
    }
    return key_fault_;
  }
  ClosureChecker& closure() { return closure_; }
  const TileCheck& tiles() const { return tiles_; }
  const std::vector<ReceiptSeen>& receipts() const { return seen_; }
  uint64_t decrypted() const { return decrypted_; }
  uint64_t closed() const { return closed_; }
  uint64_t for_others() const { return for_others_; }
  uint64_t keys_checked() const { return keys_.size(); }
  uint64_t policies() const { return policies_.size(); }
  uint64_t first_us() const { return first_us_; }
  uint64_t last_us() const { return last_us_; }
  const std::multimap<uint32_t, PublicKey>& days() const { return days_; }

 private:
  struct Missing {
    Leaf leaf;
    Error error;
  };

  // A release holds some keys; that the others are not in it is no fault.
  void Miss(const Leaf& leaf, const Error& error, uint64_t& closed) {
    if (!options_.all_keys && error.code == Code::kNotFound) ++closed;
    else missing_.push_back({leaf, error});
  }

  void TakeKey(const Leaf& leaf, std::string_view payload) {
    opener_.TakeKey(leaf, payload);
    const auto head = payload.size() > kPartEntrySize
                          ? ReadWrapSet(payload.substr(kPartEntrySize))
                          : Result<WrapSetHead>(Error{Code::kTampered, "wrap set: missing"});
    const WrapContext expected{leaf.origin, SubjectKeyOf(leaf), leaf.epoch, leaf.seq};
    const bool fits = head && head.value().context == expected &&
                      Sha256(payload.substr(kPartEntrySize)) == leaf.wrap_set_hash;
    if (!fits) {
      if (key_fault_) return;
      key_fault_ = Fault{Code::kTampered, leaf.seq, "KEY record " + std::to_string(leaf.seq) + ": " +
                                                        (head ? "its wrap set is another record's" : head.error().message)};
      return;
    }
    for (const AuditorKeyId& id : head.value().auditors) {
      if (options_.auditors && !allowed_.contains(id) && !key_fault_) {
        key_fault_ = Fault{Code::kTampered, leaf.seq,
                           "KEY record " + std::to_string(leaf.seq) + " is sealed to " + Hex(id) +
                               ", which is none of the auditors given"};
      }
    }
    if (options_.keys == nullptr) return;
    const auto key = options_.keys->KeyOf(SubjectKeyOf(leaf));
    if (key) {
      keys_.insert(SubjectKeyOf(leaf));
    } else {
      uint64_t counted_by_its_records = 0;
      Miss(leaf, key.error(), counted_by_its_records);
    }
  }

  const VerifyOptions& options_;
  RecordOpener opener_;
  TileCheck tiles_;
  std::vector<Receipt> receipts_;     // by seq
  std::vector<ReceiptSeen> seen_;     // of each
  size_t met_ = 0;                    // so many of them the records so far have reached
  ClosureChecker closure_;
  std::optional<Fault> key_fault_;
  std::vector<Missing> missing_;
  std::vector<std::pair<Leaf, PartType>> shredded_;  // by their keys; their ciphertext is there
  std::set<AuditorKeyId> allowed_;
  std::set<SubjectKeyId> keys_;
  std::set<Hash> policies_;
  std::multimap<uint32_t, PublicKey> days_;
  uint64_t decrypted_ = 0, closed_ = 0, for_others_ = 0, first_us_ = 0, last_us_ = 0;
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
void Judge(Report& report, const ScanResult& scan, const Result<bool>& notes, const std::vector<SeenHead>& heads,
           Checks& checks) {
  if (scan.fault && !scan.torn) {
    return Settle(report, FromCode(scan.fault->code), scan.fault->seq, scan.fault->message);
  }
  if (!notes) {
    const Verdict verdict =
        notes.error().code == Code::kNotFound ? Verdict::kIncomplete : Verdict::kTampered;
    return Settle(report, verdict, 0, notes.error().message);
  }
  for (const SeenHead& head : heads) {
    if (head.checkpoint.size > scan.tree.size()) {
      return Settle(report, Verdict::kRolledBack, scan.tree.size(),
                    head.whose + " covers " + std::to_string(head.checkpoint.size) + " records, the log holds " +
                        std::to_string(scan.tree.size()) + (scan.fault ? "; " + scan.fault->message : ""));
    }
  }
  for (const SeenHead& head : heads) {
    const auto root = scan.roots.find(head.checkpoint.size);
    if (root == scan.roots.end() || root->second != head.checkpoint.root) {
      return Settle(report, Verdict::kForked, 0,
                    head.whose + " at size " + std::to_string(head.checkpoint.size) +
                        " has another root than this log: two histories under one key");
    }
  }
  for (const SeenHead& head : heads) {
    if (head.given) report.kept.push_back({head.checkpoint.size, head.checkpoint.root});
  }
  std::ranges::sort(report.kept, {}, &KeptSeen::size);
  if (!notes.value()) {
    return Settle(report, Verdict::kTampered, 0, "the checkpoint is not signed by the key of a day");
  }
  const auto lost = std::find_if(report.receipts.begin(), report.receipts.end(), [](const auto& one) { return !one.in_log; });
  if (lost != report.receipts.end() && lost->seq >= scan.tree.size()) {
    return Settle(report, Verdict::kRolledBack, scan.tree.size(),
                  "a receipt was given for record " + std::to_string(lost->seq) + ", the log holds " +
                      std::to_string(scan.tree.size()) + (scan.fault ? "; " + scan.fault->message : ""));
  }
  if (lost != report.receipts.end()) {
    return Settle(report, Verdict::kTampered, lost->seq,
                  "receipt " + std::to_string(lost->seq) + " was given for a record that this log does not hold: "
                      "another one stands in its place");
  }
  if (const auto& fault = checks.closure().fault()) {
    return Settle(report, fault->tampered ? Verdict::kTampered : Verdict::kIncomplete, fault->seq,
                  fault->message);
  }
  if (const auto fault = checks.KeyFault()) {
    return Settle(report, FromCode(fault->code), fault->seq, fault->message);
  }
  if (scan.fault) {
    return Settle(report, Verdict::kIncomplete, scan.fault->seq,
                  scan.fault->message + ": an unfinished write at the end, which auditd repairs and "
                                        "tells at its next start");
  }
  report.verdict = report.recoveries + report.overrides > 0 ? Verdict::kValidWithRecovery
                   : report.witnesses.empty()               ? Verdict::kValidSelfAttested
                                                            : Verdict::kValidWitnessed;
}

// The list of days is signed by the log key and holds the key of every segment. True when one of its keys has
// signed the checkpoint too. To be read last: the list of a working writer is ahead of its segments and heads.
Result<bool> CheckDays(const VerifyOptions& options, const VerifierKey& key, const std::string& checkpoint,
                       const std::multimap<uint32_t, PublicKey>& days) {
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(LogLayout(options.log_folder).days(), kMaxNote));
  BOOST_OUTCOME_TRY(const DayList list, OpenDayList(text, key));
  for (const auto& [day, day_key] : days) {
    const bool before = list.keys.size() >= kMaxListedDays && DayName(day) < list.keys.begin()->first;
    if (!before && !list.Holds(day, day_key)) {
      return Error{Code::kTampered, "the list of days does not hold the key of " + DayName(day)};
    }
  }
  BOOST_OUTCOME_TRY(const Note note, ParseNote(checkpoint));
  BOOST_OUTCOME_TRY(const Checkpoint head, ParseCheckpointText(note.text));
  bool by_day = head.size == 0;  // before the first day
  for (const auto& [name, listed] : list.keys) {
    BOOST_OUTCOME_TRY(const bool by_this, SignedBy(note, VerifierKey{key.name, listed}));
    by_day = by_day || by_this;
  }
  return by_day;
}

// Tiles are a cache: what is wrong with them is a warning.
void CheckTiles(const VerifyOptions& options, const ScanResult& scan, const TileCheck& full, uint64_t size,
                Report& report) {
  const auto root = scan.roots.find(size);
  if (size == 0 || root == scan.roots.end()) return;
  if (full.damaged() && !report.live) {
    report.warnings.push_back("the cached tile `" + *full.damaged() +
                              "` is damaged or missing; the segments are whole, auditd rebuilds the tiles");
    return;
  }
  const TileReader tiles(LogLayout(options.log_folder).tiles(), size);
  const auto from_tiles = RootAt(size, [&](unsigned level, uint64_t index) { return tiles.Node(level, index); });
  if (from_tiles && from_tiles.value() == root->second) return;
  report.warnings.push_back("the cached tiles are damaged or missing; the segments are whole, auditd rebuilds the tiles");
}

void SayLimits(const VerifyOptions& options, Checks& checks, Report& report) {
  if (report.records > report.checkpoint_size) {
    report.notes.push_back(Counted(report.records - report.checkpoint_size, "record lies", "records lie") +
                           " after the last checkpoint, signed by the day's key only");
  }
  if (report.open_requests > 0) {
    report.notes.push_back(Counted(report.open_requests, "request has", "requests have") +
                           " no end yet; auditd closes what is open at its next start");
  }
  if (report.erased > 0) {
    report.notes.push_back(Counted(report.erased, "record was", "records were") +
                           " erased with an ERASE record; copies that were released before are out of reach");
  }
  if (report.shredded > 0) {
    report.notes.push_back(Counted(report.shredded, "single part of a record was", "single parts of records were") +
                           " shredded with an ERASE record each");
  }
  if (checks.closure().unsynchronised() > 0) {
    report.notes.push_back(Counted(checks.closure().unsynchronised(), "record was", "records were") +
                           " written while the clock was not known to be synchronised");
  }
  if (report.auditor_policies > 1) {
    report.notes.push_back("the auditors changed: " + std::to_string(report.auditor_policies) +
                           " policies were in force; --auditors FILE checks whom records are sealed to");
  }
  if (report.counter) {
    report.notes.push_back("a hardware counter kept older copies of the machine from starting; it stands at " +
                           std::to_string(report.counter->value) + " or above, which whoever has the machine can look up");
  } else if (report.witnesses.empty()) {
    report.unproved.push_back("that no older copy of the whole machine was put back: no witness, no hardware counter");
  }
  if (!report.key_given) {
    report.unproved.push_back("that log.pub is the right key: bring it by another way (--key) to exclude that "
                              "the whole folder was replaced");
  }
  if (report.witnesses.empty()) {
    const std::string after = report.kept.empty() ? "" : " after the first " + CountedRecords(report.kept.back().size);
    report.unproved.push_back("that nobody holds another history" + after + ", or a later one: " +
                              std::string(options.witnesses.empty() ? "no witness was given (--witness)"
                                                                    : "none of the witnesses given has cosigned"));
  } else {
    uint64_t size = 0;
    for (const WitnessSeen& seen : report.witnesses) size = std::max(size, seen.size);
    if (size < report.records) {
      report.unproved.push_back("by a witness: the last " + CountedRecords(report.records - size));
    }
  }
  if (report.closed > 0) {
    report.unproved.push_back("that the content of " + CountedRecords(report.closed) +
                              " can be decrypted, whose keys were not released");
  }
  if (report.for_others > 0) {
    report.unproved.push_back("that the content of " + std::to_string(report.for_others) +
                              " records decrypts, which are sealed to other auditors, or need the key or a share of a second one");
  }
  if (options.auditor_secrets.empty()) {
    report.unproved.push_back("that the content decrypts (--auditor-key with --keys or --release)");
  }
  report.unproved.push_back("that what the gateway reported was true: a compromised gateway can lie about new events");
}

}  // namespace

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
  }
  key = FollowSuccession(options.log_folder, key, report.notes, report.warnings);
  report.origin = key.name;
  report.key = FormatVerifierKey(key);
  report.live = IsLocked(LogLayout(options.log_folder).lock());

  // The checkpoint is read first: the log of a working writer is always ahead of it.
  const Result<Heads> read = ReadHeads(options, key);
  const std::vector<SeenHead> heads = read ? read.value().heads : std::vector<SeenHead>();
  if (read) {
    report.checkpoint_size = heads.front().checkpoint.size;
    report.witnesses = read.value().witnesses;
  }
  ScanOptions scan_options;
  scan_options.payloads = options.keys != nullptr && !options.auditor_secrets.empty();
  scan_options.live = report.live;
  scan_options.threads = options.threads;
  scan_options.progress = options.progress;
  for (const SeenHead& head : heads) scan_options.root_sizes.push_back(head.checkpoint.size);
  Checks checks(options, key.name);
  const ScanResult scan = ScanLog(options.log_folder, key, scan_options, &checks);
  checks.closure().Finish();
  const Result<bool> notes = read ? CheckDays(options, key, read.value().checkpoint, checks.days()) : Result<bool>(read.error());

  report.receipts = checks.receipts();
  report.records = scan.tree.size();
  report.batches = scan.batches;
  report.segments = scan.segments;
  report.root = scan.tree.Root();
  report.requests = checks.closure().requests();
  report.open_requests = checks.closure().open_requests();
  report.recoveries = checks.closure().recoveries();
  report.overrides = checks.closure().overrides();
  report.counter = checks.closure().counter();
  report.erased = checks.closure().erased();
  report.shredded = checks.closure().shredded();
  report.years = checks.closure().years();
  report.decrypted = checks.decrypted();
  report.closed = checks.closed();
  report.for_others = checks.for_others();
  report.keys_checked = checks.keys_checked();
  report.auditor_policies = checks.policies();
  report.first_us = checks.first_us();
  report.last_us = checks.last_us();
  Judge(report, scan, notes, heads, checks);
  report.auditors_checked = options.auditors.has_value() && IsValid(report.verdict);
  if (IsValid(report.verdict)) CheckTiles(options, scan, checks.tiles(), report.checkpoint_size, report);
  SayLimits(options, checks, report);
  return report;
}

Result<std::vector<Receipt>> OpenReceipts(const std::string& text_or_file, const std::filesystem::path& log_folder,
                                          const VerifierKey& key) {
  std::vector<std::string> said;
  const VerifierKey log_key = FollowSuccession(log_folder, key, said, said);
  const auto note = ReadFile(LogLayout(log_folder).days(), kMaxNote);
  const Result<DayList> days = note ? OpenDayList(note.value(), log_key) : Result<DayList>(note.error());
  BOOST_OUTCOME_TRY(const auto texts, LoadReceipts(text_or_file));
  std::vector<Receipt> receipts;
  for (const std::string& text : texts) {
    const auto opened = days ? OpenReceipt(text, log_key.name, days.value()) : ReadReceiptUnverified(text);
    if (!opened) {
      return Error{Code::kInvalidArgument, "`" + text.substr(0, 32) + "...` is no receipt of this log: " + opened.error().message};
    }
    receipts.push_back(opened.value());
  }
  return receipts;
}

}  // namespace portcullis::audit
