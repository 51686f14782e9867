#include "gateway/cli/audit_acts.h"

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <thread>

#include "audit/client.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/new_file.h"
#include "audit/override.h"
#include "audit/progress.h"
#include "audit/record.h"
#include "certs/secret.h"

namespace portcullis::cli {
namespace {

struct ActArguments {
  std::string socket, subject, reason, auditor, from, to, out, hold, log, keys, set_auditors, origin, statement, officer, part, year;
  bool list = false, rotate = false;
  uint64_t seq = 0;
};

// Erasing rewrites segments; the answer comes when that is done.
constexpr std::chrono::minutes kPatience{60};

audit::Result<std::string> Act(const ActArguments& arguments, const std::string& name,
                               std::map<std::string, std::string> values) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket, kPatience));
  return client.Act(name, std::move(values));
}

void FailAct(Context& context, const audit::Error& error) {
  const bool no = error.code == audit::Code::kHeld || error.code == audit::Code::kNotFound ||
                  error.code == audit::Code::kPermission;
  Fail(context, error.code == audit::Code::kInvalidArgument ? kUsage : no ? kNo : kRemote, error.message);
}

// "2026-11-22" → the number of its week.
audit::Result<std::string> Week(const std::string& day) {
  if (day.empty()) return std::string();
  std::tm parts{};
  const char* end = ::strptime(day.c_str(), "%Y-%m-%d", &parts);
  if (end == nullptr || *end != '\0') {
    return audit::Error{audit::Code::kInvalidArgument, "`" + day + "` is not a day like 2026-11-22"};
  }
  const auto seconds = static_cast<uint64_t>(::timegm(&parts));
  return std::to_string(audit::PeriodOf(seconds * 1'000'000));
}

void Release(Context& context, const ActArguments& arguments) {
  if (!arguments.hold.empty()) {
    const auto lifted = Act(arguments, "lift", {{"hold", arguments.hold}, {"reason", arguments.reason}});
    if (!lifted) return FailAct(context, lifted.error());
    std::cerr << "hold " << lifted.value() << " is lifted\n";
    return;
  }
  if (arguments.subject.empty() || arguments.auditor.empty() || arguments.out.empty()) {
    return Fail(context, kUsage, "release needs --subject, --auditor and --out (or --hold to lift a hold)");
  }
  const auto from = Week(arguments.from), to = Week(arguments.to);
  if (!from || !to) return Fail(context, kUsage, from ? to.error().message : from.error().message);
  auto out = audit::NewFile::Create(arguments.out);  // before the log says that somebody has it
  if (!out) return Fail(context, kUsage, out.error().message);
  const auto file = Act(arguments, "release",
                        {{"subject", arguments.subject}, {"auditor", arguments.auditor}, {"reason", arguments.reason},
                         {"from_week", from.value()}, {"to_week", to.value()}});
  if (!file) return FailAct(context, file.error());
  out.value().Write(file.value());
  if (auto put = out.value().Finish(); !put) return Fail(context, kUsage, put.error().message);
  std::cerr << "released to " << arguments.auditor << ": " << arguments.out << " (only that auditor's key opens it)\n";
}

void Hold(Context& context, const ActArguments& arguments) {
  if (arguments.list || arguments.subject.empty()) {
    const auto holds = Act(arguments, "holds", {});
    if (!holds) return FailAct(context, holds.error());
    std::cout << holds.value() << "\n";
    return;
  }
  const auto number = Act(arguments, "hold", {{"subject", arguments.subject}, {"reason", arguments.reason}});
  if (!number) return FailAct(context, number.error());
  if (context.json) {
    std::cout << "{\"schema\":\"portcullis.audit.hold/1\",\"hold\":" << number.value() << "}\n";
  } else {
    std::cerr << "hold " << number.value() << " is in force; `portcullis audit release --hold " << number.value()
              << "` lifts it\n";
  }
}

// Asks auditd how far it is, on a connection of its own, until told to stop.
class EraseProgress {
 public:
  explicit EraseProgress(const std::string& socket) {
    if (!audit::Progress::OnTerminal()) return;
    thread_ = std::thread([this, socket] { Show(socket); });
  }
  ~EraseProgress() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  EraseProgress(const EraseProgress&) = delete;
  EraseProgress& operator=(const EraseProgress&) = delete;

 private:
  void Show(const std::string& socket) {
    auto client = audit::Client::Connect(socket);
    std::unique_ptr<audit::Progress> progress;
    while (client && !ended_) {
      const auto said = client.value().Act("erase-progress", {});
      uint64_t done = 0, of = 0;
      if (said && std::sscanf(said.value().c_str(), "%" SCNu64 " %" SCNu64, &done, &of) == 2 && of > 0) {
        if (!progress) progress = std::make_unique<audit::Progress>("erase", of, "segments");
        progress->Update(done, done);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

void Erase(Context& context, const ActArguments& arguments) {
  if (context.dry_run) {
    std::cerr << "would destroy the keys and the ciphertext of `" << arguments.subject << "`\n";
    return;
  }
  const auto done = [&] {
    const EraseProgress progress(arguments.socket);
    return Act(arguments, "erase", {{"subject", arguments.subject}, {"reason", arguments.reason}});
  }();
  if (!done) return FailAct(context, done.error());
  std::cout << done.value() << "\n";
  std::cerr << "erased; all proofs still verify. What was exported or released before is out of reach, and so are\n"
               "backups of the keys folder that hold store.key and store.salt: destroy those. The gateway's request log\n"
               "(journald) names who asked and when: it is bounded by MaxRetentionSec= there, not by this\n";
}

void Shred(Context& context, const ActArguments& arguments) {
  const auto type = audit::PartFromName(arguments.part);
  if (!type || *type == audit::PartType::kWrapSet) {
    return Fail(context, kUsage, "--part: `" + arguments.part + "` is none of metadata, prompt, answer, reasoning, tools, decision");
  }
  if (context.dry_run) {
    std::cerr << "would destroy the key and the ciphertext of the part `" << arguments.part << "` of record "
              << arguments.seq << "\n";
    return;
  }
  const auto done = Act(arguments, "shred",
                        {{"record", std::to_string(arguments.seq)}, {"part", arguments.part}, {"reason", arguments.reason}});
  if (!done) return FailAct(context, done.error());
  std::cout << done.value() << "\n";
  std::cerr << "shredded; all proofs still verify, and the record's other parts stay. What was exported or released\n"
               "before is out of reach, and so are backups of the keys folder that hold store.key and store.salt: destroy those\n";
}

void Keys(Context& context, const ActArguments& arguments) {
  if (!arguments.set_auditors.empty()) {
    if (arguments.log.empty() || arguments.keys.empty()) {
      return Fail(context, kUsage, "--set-auditors needs --log and --keys, and auditd stopped");
    }
    const auto policy = audit::ReadAuditorsFile(arguments.set_auditors);
    const auto key = audit::ReadLogKey(arguments.log);
    if (!policy || !key) return Fail(context, kUsage, policy ? key.error().message : policy.error().message);
    const auto lock = audit::LockFile(audit::LogLayout(arguments.log).lock());
    if (!lock) return Fail(context, kUsage, lock.error().message);
    const auto put = audit::InstallAuditors(arguments.keys, key.value().name, policy.value());
    if (!put) return Fail(context, kUsage, put.error().message);
    std::cerr << "in force with auditd's next start, whose BOOT record names the new policy's hash\n";
    return;
  }
  if (arguments.socket.empty()) return Fail(context, kUsage, "keys needs --socket");
  if (!arguments.year.empty()) {
    if (context.dry_run) {
      std::cerr << "would destroy the tag key of " << arguments.year << "\n";
      return;
    }
    const auto gone = Act(arguments, "destroy-year", {{"year", arguments.year}, {"reason", arguments.reason}});
    if (!gone) return FailAct(context, gone.error());
    std::cerr << "the tag key of " << gone.value() << " is destroyed: nobody can be found by name in that year's records any more,\n"
                 "all proofs still verify. Backups of the keys folder that hold store.key and store.salt have it: destroy those\n";
    return;
  }
  const auto done = Act(arguments, arguments.rotate ? "rotate" : "keys", {});
  if (!done) return FailAct(context, done.error());
  if (arguments.rotate) {
    std::cerr << "the key store is encrypted anew, generation " << done.value() << "\n";
  } else {
    std::cout << done.value() << "\n";
  }
}

void Proof(Context& context, const ActArguments& arguments) {
  auto client = audit::Client::Connect(arguments.socket);
  if (!client) return Fail(context, kRemote, client.error().message);
  const auto proof = client.value().GetProof(arguments.seq);
  if (!proof) return FailAct(context, proof.error());
  std::cout << proof.value().text;
  if (arguments.out.empty()) return;
  if (auto put = audit::WriteNewFile(arguments.out, proof.value().leaf); !put) {
    Fail(context, kUsage, put.error().message);
  }
}

void OverridePrepare(Context& context, const ActArguments& arguments) {
  const auto statement = audit::PrepareOverride(arguments.log, arguments.origin, arguments.reason);
  if (!statement) return Fail(context, kUsage, statement.error().message);
  const auto put = audit::WriteNewFile(arguments.out, audit::OverrideText(statement.value()));
  if (!put) return Fail(context, kUsage, put.error().message);
  std::cerr << "two officers sign " << arguments.out << " (`override sign`), then `override apply`\n";
}

void OverrideSign(Context& context, const ActArguments& arguments) {
  const auto text = audit::ReadFile(arguments.statement, audit::kMaxNote);
  if (!text) return Fail(context, kUsage, text.error().message);
  const auto note = audit::SignOverride(text.value(), arguments.officer);
  if (!note) return Fail(context, kUsage, note.error().message);
  const auto put = audit::ReplaceFile(arguments.statement, note.value(), true);
  if (!put) Fail(context, kUsage, put.error().message);
}

void OverrideApply(Context& context, const ActArguments& arguments) {
  const auto note = audit::ReadFile(arguments.statement, audit::kMaxNote);
  if (!note) return Fail(context, kUsage, note.error().message);
  const auto aside = audit::ApplyOverride(arguments.log, arguments.keys, note.value());
  if (!aside) return Fail(context, kNo, aside.error().message);
  std::cerr << "the old log lies in " << aside.value().string() << "; the new one begins with the statement\n";
}

}  // namespace

void AddAuditActs(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ActArguments>();
  const auto add = [&](CLI::App& parent, const char* name, const char* words,
                       void (*run)(Context&, const ActArguments&)) {
    CLI::App* verb = parent.add_subcommand(name, words);
    verb->callback([&context, arguments, run] {
      certs::InitSodium();
      run(context, *arguments);
    });
    return verb;
  };
  CLI::App* release = add(noun, "release", "give an auditor the keys of a subject, recorded; or lift a hold", Release);
  release->add_option("--socket", arguments->socket, "auditd's socket")->required();
  release->add_option("--subject", arguments->subject, "whose records");
  release->add_option("--auditor", arguments->auditor, "name or key id of an auditor of this log");
  release->add_option("--from", arguments->from, "first day, like 2026-11-01; keys are by the week");
  release->add_option("--to", arguments->to, "last day");
  release->add_option("--out", arguments->out, "the release file");
  release->add_option("--hold", arguments->hold, "number of a legal hold to lift instead");
  release->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* hold = add(noun, "hold", "forbid the erasure of a subject's records; without --subject: list", Hold);
  hold->add_option("--socket", arguments->socket, "auditd's socket")->required();
  hold->add_option("--subject", arguments->subject, "whose records; `*` for everybody's");
  hold->add_option("--reason", arguments->reason, "why, for the record");
  hold->add_flag("--list", arguments->list, "the holds in force");

  CLI::App* erase = add(noun, "erase", "destroy the keys and ciphertext of a subject; proofs stay", Erase);
  erase->add_option("--socket", arguments->socket, "auditd's socket")->required();
  erase->add_option("--subject", arguments->subject, "whose records")->required();
  erase->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* shred = add(noun, "shred", "destroy the key and ciphertext of one part of one record; its other parts and all proofs stay", Shred);
  shred->add_option("--socket", arguments->socket, "auditd's socket")->required();
  shred->add_option("--record", arguments->seq, "the record's number")->required();
  shred->add_option("--part", arguments->part, "prompt, answer, reasoning, tools, decision or metadata")->required();
  shred->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* keys = add(noun, "keys", "list the log's keys and auditors, rotate the key store, destroy a year's tag key", Keys);
  keys->add_option("--socket", arguments->socket, "auditd's socket");
  keys->add_flag("--rotate", arguments->rotate, "encrypt the key store anew");
  keys->add_option("--destroy-year", arguments->year, "destroy the key of a past year's blind tags: nobody is found by name in its records again");
  keys->add_option("--reason", arguments->reason, "why, for the record, for --destroy-year");
  keys->add_option("--set-auditors", arguments->set_auditors, "file with the auditors from now on");
  keys->add_option("--log", arguments->log, "folder of the log, for --set-auditors");
  keys->add_option("--keys", arguments->keys, "folder of the keys, for --set-auditors");

  CLI::App* proof = add(noun, "proof", "the proof of one record (c2sp.org/tlog-proof)", Proof);
  proof->add_option("SEQ", arguments->seq, "its number")->required();
  proof->add_option("--socket", arguments->socket, "auditd's socket")->required();
  proof->add_option("--leaf", arguments->out, "file for the record's leaf, which the proof is about");

  CLI::App* override_app = noun.add_subcommand("override", "go on after a refused start, by two officers' keys");
  override_app->require_subcommand(1);
  CLI::App* prepare = add(*override_app, "prepare", "write down what is found", OverridePrepare);
  prepare->add_option("--log", arguments->log, "folder of the log")->required();
  prepare->add_option("--origin", arguments->origin, "name of the new log")->required();
  prepare->add_option("--reason", arguments->reason, "why, in one line")->required();
  prepare->add_option("--out", arguments->out, "the statement")->required();
  CLI::App* sign = add(*override_app, "sign", "sign a statement as an officer", OverrideSign);
  sign->add_option("FILE", arguments->statement, "the statement")->required();
  sign->add_option("--officer-key", arguments->officer, "the officer's key file")->required();
  CLI::App* apply = add(*override_app, "apply", "set the old log aside and begin the new one", OverrideApply);
  apply->add_option("FILE", arguments->statement, "the statement, signed by two")->required();
  apply->add_option("--log", arguments->log, "folder of the log")->required();
  apply->add_option("--keys", arguments->keys, "folder of the keys")->required();
}

}  // namespace portcullis::cli
