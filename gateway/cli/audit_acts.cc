#include "gateway/cli/audit_acts.h"

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

#include "audit/bytes.h"
#include "audit/client.h"
#include "audit/count.h"
#include "audit/daykey.h"
#include "audit/new_file.h"
#include "audit/note.h"
#include "audit/progress.h"
#include "audit/record.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_read.h"
#include "gateway/cli/days.h"

namespace portcullis::cli {

namespace json = boost::json;

// Erasing rewrites segments; the answer comes when that is done.
audit::Result<std::string> AskAuditd(const std::string& socket, const std::string& act,
                                     std::map<std::string, std::string> values) {
  constexpr std::chrono::minutes kPatience{60};
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(socket, kPatience));
  return client.Act(act, std::move(values));
}

void FailAct(Context& context, const audit::Error& error) {
  const bool no = error.code == audit::Code::kHeld || error.code == audit::Code::kNotFound ||
                  error.code == audit::Code::kPermission;
  Fail(context, error.code == audit::Code::kInvalidArgument ? kUsage : no ? kNo : kRemote, error.message);
}

namespace {

struct ActArguments {
  std::string socket, subject, reason, auditor, from, to, out, hold, part;
  bool list = false;
  uint64_t seq = 0;
};

// The week of a day; empty without a day.
std::optional<std::string> Week(Context& context, const char* option, const std::string& text) {
  if (text.empty()) return std::string();
  const auto day = DayOf(text);
  constexpr uint64_t kLastDay = (uint64_t{1} << 16) * audit::kPeriodDays - 1;
  if (!day) Fail(context, kUsage, NoDay(option, text));
  else if (*day / kDayUs > kLastDay) Fail(context, kUsage, std::string(option) + ": keys are by the week, up to " + audit::DayName(kLastDay));
  else return std::to_string(audit::PeriodOf(*day));
  return std::nullopt;
}

void Lift(Context& context, const ActArguments& arguments) {
  const auto lifted =
      AskAuditd(arguments.socket, "lift", {{"hold", arguments.hold}, {"reason", arguments.reason}});
  if (!lifted) return FailAct(context, lifted.error());
  Answer(context, "portcullis.audit.lift/1", {{"hold", std::stoull(lifted.value())}}, "hold " + lifted.value() + " is lifted");
}

void Release(Context& context, const ActArguments& arguments) {
  if (!arguments.hold.empty()) return Lift(context, arguments);
  if (arguments.subject.empty() || arguments.auditor.empty() || arguments.out.empty()) {
    return Fail(context, kUsage, "release needs --subject, --auditor and --out (or --hold to lift a hold)");
  }
  const auto from = Week(context, "--from", arguments.from), to = Week(context, "--to", arguments.to);
  if (!from || !to) return;
  if (!arguments.from.empty() && !arguments.to.empty() && arguments.from > arguments.to) {
    return Fail(context, kUsage, "--from is after --to: there is no day between them");
  }
  auto out = audit::NewFile::Create(arguments.out);  // before the log says that somebody has it
  if (!out) return Fail(context, kUsage, out.error().message);
  const auto file = AskAuditd(arguments.socket, "release",
                              {{"subject", arguments.subject}, {"auditor", arguments.auditor}, {"reason", arguments.reason},
                               {"from_week", *from}, {"to_week", *to}});
  if (!file) return FailAct(context, file.error());
  out.value().Write(file.value());
  if (auto put = out.value().Finish(); !put) return Fail(context, kUsage, put.error().message);
  Answer(context, "portcullis.audit.release/1",
         {{"subject", arguments.subject}, {"auditor", arguments.auditor}, {"from", arguments.from}, {"to", arguments.to},
          {"file", arguments.out}},
         "released to " + arguments.auditor + ": " + arguments.out + " (only that auditor's key opens it)");
}

void ListHolds(Context& context, const ActArguments& arguments) {
  const auto text = AskAuditd(arguments.socket, "holds", {});
  if (!text) return FailAct(context, text.error());
  const json::object reply = ReplyOf("{\"holds\":" + text.value() + "}");
  const json::value* holds = reply.if_contains("holds");
  if (holds == nullptr || !holds->is_array()) return Fail(context, kRemote, "auditd's list of holds cannot be read");
  if (context.json) return PrintJson("portcullis.audit.holds/1", reply);
  if (holds->get_array().empty()) std::cerr << "no legal hold is in force\n";
  for (const json::value& value : holds->get_array()) {
    const json::object& hold = value.as_object();
    const std::string subject(hold.at("subject").as_string());
    std::cout << "hold " << hold.at("hold").to_number<uint64_t>() << ", since "
              << TimeText(hold.at("since_us").to_number<uint64_t>()) << ", on "
              << (subject == "*" ? "everybody's records" : "the records of " + ForTerminal(subject)) << ": "
              << ForTerminal(std::string(hold.at("reason").as_string())) << "\n";
  }
}

void Hold(Context& context, const ActArguments& arguments) {
  if (arguments.list || arguments.subject.empty()) return ListHolds(context, arguments);
  const auto number =
      AskAuditd(arguments.socket, "hold", {{"subject", arguments.subject}, {"reason", arguments.reason}});
  if (!number) return FailAct(context, number.error());
  Answer(context, "portcullis.audit.hold/1", {{"hold", std::stoull(number.value())}},
         "hold " + number.value() + " is in force; `portcullis audit release --hold " + number.value() + "` lifts it");
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

// What auditd counted: "2 records, 8192 bytes of ciphertext in 1 segment".
std::string ErasedWords(const json::object& counts) {
  const auto number = [&counts](const char* name) {
    const json::value* value = counts.if_contains(name);
    return value != nullptr && value->is_number() ? value->to_number<uint64_t>() : 0;
  };
  return audit::CountedRecords(number("records")) + ", " + audit::Counted(number("bytes"), "byte", "bytes") +
         " of ciphertext in " + audit::Counted(number("segments"), "segment", "segments");
}

void Erase(Context& context, const ActArguments& arguments) {
  if (context.dry_run) {
    return Answer(context, "portcullis.audit.erase/1", {{"dry_run", true}, {"subject", arguments.subject}},
                  "would destroy the keys and the ciphertext of `" + arguments.subject + "`");
  }
  const auto done = [&] {
    const EraseProgress progress(arguments.socket);
    return AskAuditd(arguments.socket, "erase", {{"subject", arguments.subject}, {"reason", arguments.reason}});
  }();
  if (!done) return FailAct(context, done.error());
  const json::object counts = ReplyOf(done.value());
  Answer(context, "portcullis.audit.erase/1", counts,
         "erased: " + ErasedWords(counts) + "; all proofs still verify. What was exported or released before is out of\n"
         "reach, and so are backups of the keys folder that hold store.key and store.salt: destroy those. The gateway's\n"
         "request log (journald) names who asked and when: it is bounded by MaxRetentionSec= there, not by this");
}

void Shred(Context& context, const ActArguments& arguments) {
  const auto type = audit::PartFromName(arguments.part);
  if (!type || *type == audit::PartType::kWrapSet) {
    return Fail(context, kUsage, "--part: `" + arguments.part + "` is none of metadata, prompt, answer, reasoning, tools, decision");
  }
  if (context.dry_run) {
    return Answer(context, "portcullis.audit.shred/1",
                  {{"dry_run", true}, {"record", arguments.seq}, {"part", arguments.part}},
                  "would destroy the key and the ciphertext of the part `" + arguments.part + "` of record " +
                      std::to_string(arguments.seq));
  }
  const auto done = AskAuditd(arguments.socket, "shred",
                              {{"record", std::to_string(arguments.seq)}, {"part", arguments.part}, {"reason", arguments.reason}});
  if (!done) return FailAct(context, done.error());
  const json::object counts = ReplyOf(done.value());
  Answer(context, "portcullis.audit.shred/1", counts,
         "shredded: one part of " + ErasedWords(counts) + "; all proofs still verify, and the record's other parts stay.\n"
         "What was exported or released before is out of reach, and so are backups of the keys folder that hold store.key\n"
         "and store.salt: destroy those");
}

void Proof(Context& context, const ActArguments& arguments) {
  auto client = audit::Client::Connect(arguments.socket);
  if (!client) return Fail(context, kRemote, client.error().message);
  const auto proof = client.value().GetProof(arguments.seq);
  if (!proof) return FailAct(context, proof.error());
  if (context.json) {
    PrintJson("portcullis.audit.proof/1", {{"seq", arguments.seq}, {"proof", proof.value().text},
                                           {"leaf", audit::Base64(audit::AsBytes(proof.value().leaf))}});
  } else {
    std::cout << proof.value().text;
  }
  if (arguments.out.empty()) return;
  if (auto put = audit::WriteNewFile(arguments.out, proof.value().leaf); !put) {
    Fail(context, kUsage, put.error().message);
  }
}

}  // namespace

void AddAuditActs(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ActArguments>();
  const auto add = [&](const char* name, const char* words, void (*run)(Context&, const ActArguments&)) {
    CLI::App* verb = noun.add_subcommand(name, words);
    verb->callback([&context, arguments, run] {
      certs::InitSodium();
      run(context, *arguments);
    });
    return verb;
  };
  CLI::App* release = add("release", "give an auditor the keys of a subject, recorded; or lift a hold", Release);
  release->add_option("--socket", arguments->socket, "auditd's socket")->required();
  release->add_option("--subject", arguments->subject, "whose records");
  release->add_option("--auditor", arguments->auditor, "name or key id of an auditor of this log");
  release->add_option("--from", arguments->from, "first day, like 2026-11-01; keys are by the week");
  release->add_option("--to", arguments->to, "last day");
  release->add_option("--out", arguments->out, "the release file");
  release->add_option("--hold", arguments->hold, "number of a legal hold to lift instead");
  release->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* hold = add("hold", "forbid the erasure of a subject's records; without --subject: list", Hold);
  hold->add_option("--socket", arguments->socket, "auditd's socket")->required();
  hold->add_option("--subject", arguments->subject, "whose records; `*` for everybody's");
  hold->add_option("--reason", arguments->reason, "why, for the record");
  hold->add_flag("--list", arguments->list, "the holds in force");

  CLI::App* erase = add("erase", "destroy the keys and ciphertext of a subject; proofs stay", Erase);
  erase->add_option("--socket", arguments->socket, "auditd's socket")->required();
  erase->add_option("--subject", arguments->subject, "whose records")->required();
  erase->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* shred = add("shred", "destroy the key and ciphertext of one part of one record; its other parts and all proofs stay", Shred);
  shred->add_option("--socket", arguments->socket, "auditd's socket")->required();
  shred->add_option("--record", arguments->seq, "the record's number")->required();
  shred->add_option("--part", arguments->part, "prompt, answer, reasoning, tools, decision or metadata")->required();
  shred->add_option("--reason", arguments->reason, "why, for the record")->required();

  CLI::App* proof = add("proof", "the proof of one record (c2sp.org/tlog-proof)", Proof);
  proof->add_option("SEQ", arguments->seq, "its number")->required();
  proof->add_option("--socket", arguments->socket, "auditd's socket")->required();
  proof->add_option("--leaf", arguments->out, "file for the record's leaf, which the proof is about");


  AddAuditKeys(noun, context);
  AddAuditOverride(noun, context);
}

}  // namespace portcullis::cli
