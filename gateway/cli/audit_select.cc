// `portcullis audit search | export`: the records that fit, as lines or JSON; an export adds contents,
// where the keys are given, and proofs. Every record is checked on the way: the log is read from its
// start (some 600,000 records a second) and what comes out is what its signatures vouch for. Names are
// searched by their blind tags, which only the holder of the key store can make. With --socket an export
// that opens contents is recorded first (AUDIT_READ).
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>

#include "audit/bytes.h"
#include "audit/client.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/scan.h"
#include "audit/tags.h"
#include "audit/tiles.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct SelectArguments {
  std::string log, keys, socket, out, format = "jsonl", request;
  PeriodArguments period;
  OpeningArguments opening;
  std::vector<std::string> kinds, users, tenants, tags;
  std::optional<uint16_t> outcome;
  uint64_t limit = 0;
  bool proofs = false;
};

// What a record must fit: all of the conditions, any of the values of one.
struct Filter {
  audit::Period period;
  std::vector<audit::Kind> kinds;
  std::vector<std::vector<audit::SearchTerm>> terms;
  std::optional<uint16_t> outcome;
  std::string request;

  bool Fits(const audit::Leaf& leaf) const {
    if (leaf.wall_us < period.begin_us || leaf.wall_us >= period.end_us) return false;
    if (!kinds.empty() && std::ranges::find(kinds, leaf.kind) == kinds.end()) return false;
    if (outcome && leaf.outcome != *outcome) return false;
    if (!request.empty() && audit::Hex(leaf.request_id) != request) return false;
    return std::ranges::all_of(terms, [&leaf](const auto& any) {
      return std::ranges::any_of(any, [&leaf](const auto& term) { return term.Matches(leaf); });
    });
  }
};

audit::Result<void> AddTerms(const SelectArguments& arguments, Filter& filter) {
  if (arguments.users.empty() && arguments.tenants.empty() && arguments.tags.empty()) return audit::Ok();
  const std::string& folder = arguments.keys.empty() ? arguments.opening.keys : arguments.keys;
  if (folder.empty()) {
    return audit::Error{audit::Code::kInvalidArgument,
                        "names are recorded as keyed tags; give the folder of the keys (--keys) to search for them"};
  }
  BOOST_OUTCOME_TRY(const auto store, audit::OpenKeyStore(folder, audit::KeyStore::Mode::kReadOnly));
  const auto add = [&](const char* label, const std::vector<std::string>& texts) -> audit::Result<void> {
    if (texts.empty()) return audit::Ok();
    std::vector<audit::SearchTerm> any;
    for (const std::string& text : texts) {
      BOOST_OUTCOME_TRY(auto term, audit::SearchTerm::Make(*store, label, text));
      any.push_back(std::move(term));
    }
    filter.terms.push_back(std::move(any));
    return audit::Ok();
  };
  BOOST_OUTCOME_TRY(add("subject", arguments.users));
  BOOST_OUTCOME_TRY(add("tenant", arguments.tenants));
  return add("tag", arguments.tags);
}

std::optional<Filter> FilterOf(Context& context, const SelectArguments& arguments) {
  Filter filter;
  const auto period = PeriodOf(context, arguments.period);
  if (!period) return std::nullopt;
  filter.period = *period;
  filter.outcome = arguments.outcome;
  filter.request = arguments.request;
  for (const std::string& name : arguments.kinds) {
    const auto kind = audit::KindFromName(name);
    if (!kind) {
      Fail(context, kUsage, "--kind: there is no kind `" + name + "`; kinds are REQ, DECISION, RESP, ABORT, ADMIN, "
                            "CONFIG, KEY, RELEASE, AUDIT_READ, ERASE, HOLD, HEARTBEAT, BOOT, STOP, CLOCK, RECOVERY, "
                            "ABUSE, SIEGE");
      return std::nullopt;
    }
    filter.kinds.push_back(*kind);
  }
  if (auto added = AddTerms(arguments, filter); !added) {
    Fail(context, kUsage, added.error().message);
    return std::nullopt;
  }
  return filter;
}

// Inclusion proofs of records under the newest checkpoint, from the tiles.
class Prover {
 public:
  static audit::Result<Prover> Open(const std::string& log, const audit::VerifierKey& key) {
    const audit::LogLayout layout(log);
    BOOST_OUTCOME_TRY(std::string note, audit::ReadFile(layout.checkpoint(), audit::kMaxNote));
    BOOST_OUTCOME_TRY(const audit::Checkpoint checkpoint, audit::OpenCheckpoint(note, key));
    return Prover(layout, std::move(note), checkpoint.size);
  }
  // Nothing where the checkpoint does not cover the record yet.
  audit::Result<std::optional<std::string>> Prove(uint64_t seq) const {
    if (seq >= size_) return std::optional<std::string>();
    const auto node = [this](unsigned level, uint64_t index) { return tiles_.Node(level, index); };
    BOOST_OUTCOME_TRY(auto hashes, audit::InclusionProof(seq, size_, node));
    return std::optional(audit::FormatProof({seq, std::move(hashes), note_}));
  }

 private:
  Prover(const audit::LogLayout& layout, std::string note, uint64_t size)
      : note_(std::move(note)), size_(size), tiles_(layout.tiles(), size) {}

  std::string note_;
  uint64_t size_;
  audit::TileReader tiles_;
};

class Selecting : public audit::ScanVisitor {
 public:
  Selecting(const Filter& filter, uint64_t limit) : filter_(filter), limit_(limit) {}

  void OnRecord(const audit::ScannedRecord& record) final {
    if (record.leaf.kind == audit::Kind::kKey) OnKey(record);
    if (limit_ != 0 && found_ >= limit_) return;
    if (!filter_.Fits(record.leaf)) return;
    ++found_;
    OnFound(record);
  }
  uint64_t found() const { return found_; }

 protected:
  virtual void OnKey(const audit::ScannedRecord&) {}
  virtual void OnFound(const audit::ScannedRecord& record) = 0;

 private:
  const Filter& filter_;
  const uint64_t limit_;
  uint64_t found_ = 0;
};

class Listing final : public Selecting {
 public:
  Listing(const Context& context, const Filter& filter, uint64_t limit)
      : Selecting(filter, limit), json_(context.json) {}

 private:
  void OnFound(const audit::ScannedRecord& record) override {
    if (json_) std::cout << json::serialize(Summary(record.leaf, record.leaf_hash)) << "\n";
    else PrintLine(record.leaf);
  }
  const bool json_;
};

class Exporting final : public Selecting {
 public:
  Exporting(const SelectArguments& arguments, const Filter& filter, audit::RecordOpener* opener,
            const Prover* prover, std::ostream& out)
      : Selecting(filter, arguments.limit), csv_(arguments.format == "csv"), opener_(opener),
        prover_(prover), out_(out) {
    if (csv_) out_ << "seq,time,kind,outcome,request_id,parent_seq,subject_tag,tenant_tag,policy_hash,"
                      "model_hash,leaf_hash\r\n";
  }
  uint64_t unopened() const { return unopened_; }
  uint64_t unproved() const { return unproved_; }

 private:
  void OnKey(const audit::ScannedRecord& record) override {
    if (opener_ != nullptr) opener_->TakeKey(record.leaf, record.payload);
  }
  void OnFound(const audit::ScannedRecord& record) override {
    const json::object summary = Summary(record.leaf, record.leaf_hash);
    if (csv_) return PutCsv(summary);
    json::object line = summary;
    line["leaf"] = audit::Hex(audit::AsBytes(audit::EncodeLeaf(record.leaf)));
    if (opener_ != nullptr && record.leaf.parts > 0 && record.leaf.kind != audit::Kind::kKey) {
      auto opened = opener_->Open(record.leaf, record.payload);
      if (opened) line["parts"] = Contents(opened.value());
      else ++unopened_;
    }
    if (prover_ != nullptr) {
      const auto proof = prover_->Prove(record.leaf.seq);
      if (proof && proof.value()) line["proof"] = *proof.value();
      else ++unproved_;
    }
    out_ << json::serialize(line) << "\n";
  }
  // Numbers, names of kinds and hex only: nothing that a spreadsheet could take for a formula.
  void PutCsv(const json::object& summary) {
    bool first = true;
    for (const char* name : {"seq", "time", "kind", "outcome", "request_id", "parent_seq", "subject_tag",
                             "tenant_tag", "policy_hash", "model_hash", "leaf_hash"}) {
      const json::value& value = summary.at(name);
      out_ << (first ? "" : ",")
           << (value.is_string() ? std::string(value.get_string()) : json::serialize(value));
      first = false;
    }
    out_ << "\r\n";
  }

  const bool csv_;
  audit::RecordOpener* opener_;
  const Prover* prover_;
  std::ostream& out_;
  uint64_t unopened_ = 0, unproved_ = 0;
};

bool Scan(Context& context, const SelectArguments& arguments, const audit::VerifierKey& key,
          audit::ScanVisitor& visitor) {
  audit::ScanOptions options;
  options.live = audit::IsLocked(audit::LogLayout(arguments.log).lock());
  const auto scan = audit::ScanLog(arguments.log, key, options, &visitor);
  if (scan.fault && !scan.torn) Fail(context, kNo, scan.fault->message);
  return !scan.fault || scan.torn;
}

void Search(Context& context, const SelectArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  const auto filter = FilterOf(context, arguments);
  if (!filter) return;
  Listing listing(context, *filter, arguments.limit);
  if (!Scan(context, arguments, key.value(), listing)) return;
  std::cout.flush();
  std::cerr << listing.found() << " records\n";
  if (listing.found() == 0) context.exit_code = kNo;
}

audit::Result<void> RecordExport(const SelectArguments& arguments) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  const json::object facts{{"what", "export"}, {"from", arguments.period.from}, {"to", arguments.period.to},
                           {"uid", ::getuid()}};
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

void Export(Context& context, const SelectArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  if (arguments.opening.half()) {
    return Fail(context, kUsage,
                "--auditor-key and --release (or, on the box, --keys) open records together; give both or none");
  }
  const auto filter = FilterOf(context, arguments);
  if (!filter) return;
  Opening opening;
  std::optional<audit::RecordOpener> opener;
  if (arguments.opening.any()) {
    if (auto ready = opening.Prepare(arguments.opening, key.value().name); !ready) {
      return Fail(context, kUsage, ready.error().message);
    }
    if (!arguments.socket.empty()) {
      auto told = RecordExport(arguments);
      if (!told) return Fail(context, kRemote, "not read, as it could not be recorded: " + told.error().message);
    }
    opener.emplace(opening.MakeOpener(key.value().name));
  }
  std::optional<Prover> prover;
  if (arguments.proofs) {
    auto made = Prover::Open(arguments.log, key.value());
    if (!made) return Fail(context, kUsage, "no proofs: " + made.error().message);
    prover.emplace(std::move(made).value());
  }
  std::ofstream file;
  if (!arguments.out.empty()) {
    ::umask(0077);  // contents may be in it
    file.open(arguments.out, std::ios::binary | std::ios::trunc);
    if (!file) return Fail(context, kUsage, "cannot write `" + arguments.out + "`");
  }
  std::ostream& out = arguments.out.empty() ? std::cout : file;
  Exporting exporting(arguments, *filter, opener ? &*opener : nullptr, prover ? &*prover : nullptr, out);
  if (!Scan(context, arguments, key.value(), exporting)) return;
  out.flush();
  if (!out) return Fail(context, kUsage, "the export is not whole: writing failed");
  std::cerr << exporting.found() << " records";
  if (exporting.unopened() > 0) std::cerr << ", " << exporting.unopened() << " stayed sealed";
  if (exporting.unproved() > 0) std::cerr << ", " << exporting.unproved() << " not under a checkpoint yet";
  std::cerr << "\n";
}

void AddFilterOptions(CLI::App& command, SelectArguments& arguments) {
  command.add_option("--log", arguments.log, "folder of the log")->required();
  AddPeriodOptions(command, arguments.period);
  command.add_option("--kind", arguments.kinds, "REQ, DECISION, RESP … ; may be repeated");
  command.add_option("--outcome", arguments.outcome, "HTTP status, or 1 allowed, 2 refused, 3 treated");
  command.add_option("--request", arguments.request, "a request's id, 32 hex digits");
  command.add_option("--user", arguments.users, "whose records; needs --keys");
  command.add_option("--tenant", arguments.tenants, "of which tenant; needs --keys");
  command.add_option("--tag", arguments.tags, "like model:NAME, policy:NAME, operation:NAME; needs --keys");
  command.add_option("--limit", arguments.limit, "at most so many; 0: all");
}

}  // namespace

void AddAuditSelect(CLI::App& noun, Context& context) {
  const auto found = std::make_shared<SelectArguments>();
  CLI::App* search = noun.add_subcommand("search", "list the records that fit, without content");
  AddFilterOptions(*search, *found);
  search->add_option("--keys", found->keys, "on the box: folder of the keys, to search for names");
  search->callback([&context, found] { Search(context, *found); });

  const auto taken = std::make_shared<SelectArguments>();
  CLI::App* app = noun.add_subcommand("export", "the records that fit, as JSON lines or CSV, with contents and proofs");
  AddFilterOptions(*app, *taken);
  AddOpeningOptions(*app, taken->opening);
  app->add_option("--format", taken->format, "jsonl, or csv (without contents)")->check(CLI::IsMember({"jsonl", "csv"}));
  app->add_flag("--proofs", taken->proofs, "a C2SP tlog-proof with every record");
  app->add_option("--out", taken->out, "file, readable by its owner only; else standard output");
  app->add_option("--socket", taken->socket, "auditd's socket: the reading is recorded first");
  app->callback([&context, taken] { Export(context, *taken); });
}

}  // namespace portcullis::cli
