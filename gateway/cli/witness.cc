// `portcullis witness`: vouch for another machine's audit log (keygen, serve, cosign), and get this
// machine's log vouched for (feed, or by file: request, attach; fetch before a start). A log's head that
// somebody else has seen cannot be taken back, not even by putting back the whole machine.

#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <thread>

#include "audit/client.h"
#include "audit/count.h"
#include "audit/file.h"
#include "audit/witness.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/command.h"
#include "gateway/cli/witness_http.h"

namespace portcullis::cli {
namespace {

struct WitnessArguments {
  std::string out, name, key, state, logs, listen = "127.0.0.1:7390", socket, url, origin, file;
  std::string old = "0";
  unsigned interval = 5;
  bool once = false;
};

// "3" → 3.
audit::Result<uint64_t> SizeOf(const std::string& text, const std::string& who) {
  const auto number = audit::ParseDecimal(text);
  if (!number) return audit::Error{audit::Code::kIo, who + " answered with what is no number of records"};
  return number.value();
}
std::string WitnessedWords(uint64_t size) { return "witnessed: the first " + audit::CountedRecords(size); }

// A note goes to the file, or else to standard output, with --json in a document.
void Deliver(Context& context, const WitnessArguments& arguments, std::string_view schema, const std::string& note) {
  if (!arguments.out.empty()) {
    if (auto put = audit::ReplaceFile(arguments.out, note, true); !put) return Fail(context, kUsage, put.error().message);
    if (context.json) PrintJson(schema, {{"file", arguments.out}});
  } else if (context.json) {
    PrintJson(schema, {{"note", note}});
  } else {
    std::cout << note;
  }
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void Keygen(Context& context, const WitnessArguments& arguments) {
  const auto made = audit::MakeWitnessKey(arguments.out, arguments.name);
  if (!made) return Fail(context, kUsage, made.error().message);
  Answer(context, "portcullis.witness.keygen/1", {{"secret", arguments.out}, {"public", arguments.out + ".pub"}},
         "created " + arguments.out + " and " + arguments.out + ".pub (give it to who verifies)");
}

audit::Result<audit::Witness> OpenWitness(const WitnessArguments& arguments) {
  BOOST_OUTCOME_TRY(audit::WitnessKey key, audit::LoadWitnessKey(arguments.key));
  BOOST_OUTCOME_TRY(const std::string text, audit::ReadFile(arguments.logs, audit::kMaxNote));
  BOOST_OUTCOME_TRY(std::vector<audit::VerifierKey> logs, audit::ParseVerifierKeys(text));
  return audit::Witness::Open(std::move(key.key), std::move(key.secret), arguments.state, std::move(logs));
}

void Serve(Context& context, const WitnessArguments& arguments) {
  auto witness = OpenWitness(arguments);
  if (!witness) return Fail(context, kUsage, witness.error().message);
  const auto error = ServeWitness(witness.value(), arguments.listen, {}, [&context](const std::string& address) {
    if (context.json) PrintJson("portcullis.witness.serve/1", {{"address", address}});
    else std::cout << "witness at " << address << std::endl;
  });
  Fail(context, kUsage, error.message);
}

// The checkpoint with the cosignature, ready to be attached.
std::string Attached(std::string_view request, std::string_view cosignatures) {
  const auto parsed = audit::ParseAddCheckpoint(request);
  return (parsed ? parsed.value().checkpoint : std::string()) + std::string(cosignatures);
}

void CosignFile(Context& context, const WitnessArguments& arguments) {
  auto witness = OpenWitness(arguments);
  if (!witness) return Fail(context, kUsage, witness.error().message);
  const auto request = audit::ReadFile(arguments.file, audit::kMaxNote);
  if (!request) return Fail(context, kUsage, request.error().message);
  const auto reply = witness.value().Add(request.value(), static_cast<uint64_t>(std::time(nullptr)));
  if (reply.status == 409) {
    const auto seen = SizeOf(FirstLine(reply.body), "the witness");
    if (!seen) return Fail(context, kNo, seen.error().message);
    return Fail(context, kNo, "this witness has seen " + audit::CountedRecords(seen.value()) +
                                  " of the log; the request must begin there (witness request --old)");
  }
  if (reply.status != 200) return Fail(context, kNo, "not cosigned: " + reply.body);
  const std::string note = Attached(request.value(), reply.body);
  Deliver(context, arguments, "portcullis.witness.cosign/1", note);
}

void RequestFile(Context& context, const WitnessArguments& arguments) {
  if (!audit::ParseDecimal(arguments.old)) {
    return Fail(context, kUsage, "--old: `" + arguments.old + "` is no number of records");
  }
  auto client = audit::Client::Connect(arguments.socket);
  if (!client) return Fail(context, kRemote, client.error().message);
  const auto request = client.value().Act("witness-request", {{"old", arguments.old}});
  if (!request) return Fail(context, kRemote, request.error().message);
  Deliver(context, arguments, "portcullis.witness.request/1", request.value());
}

audit::Result<uint64_t> Attach(const WitnessArguments& arguments, const std::string& note) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  BOOST_OUTCOME_TRY(const std::string size, client.Act("witness-attach", {{"note", note}}));
  return SizeOf(size, "auditd");
}

void AttachFile(Context& context, const WitnessArguments& arguments) {
  const auto note = audit::ReadFile(arguments.file, audit::kMaxNote);
  if (!note) return Fail(context, kUsage, note.error().message);
  const auto size = Attach(arguments, note.value());
  if (!size) return Fail(context, kNo, "`" + arguments.file + "`: " + size.error().message);
  Answer(context, "portcullis.witness.attach/1", {{"witnessed", size.value()}}, WitnessedWords(size.value()));
}

audit::Result<std::string> Latest(const WitnessArguments& arguments, const std::string& origin) {
  BOOST_OUTCOME_TRY(const audit::WitnessReply reply, WitnessGet(arguments.url, "/checkpoint/" + origin));
  if (reply.status != 200) return audit::Error{audit::Code::kNotFound, "the witness says: " + reply.body};
  return reply.body;
}

void Fetch(Context& context, const WitnessArguments& arguments) {
  const auto note = Latest(arguments, arguments.origin);
  if (!note) return Fail(context, kRemote, note.error().message);
  Deliver(context, arguments, "portcullis.witness.fetch/1", note.value());
}

// One round: what the witness has not seen yet. Its size comes with its first refusal.
audit::Result<uint64_t> FeedOnce(const WitnessArguments& arguments, std::string& old_size) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
    auto request = client.Act("witness-request", {{"old", old_size}});
    if (!request && request.error().code == audit::Code::kRolledBack) {
      // The witness has seen more than this log holds: its memory is the proof.
      BOOST_OUTCOME_TRY(const audit::Status status, client.GetStatus());
      BOOST_OUTCOME_TRY(const std::string note, Latest(arguments, status.origin));
      return Attach(arguments, note);
    }
    if (!request) return request.error();
    BOOST_OUTCOME_TRY(const audit::WitnessReply reply,
                      WitnessPost(arguments.url, "/add-checkpoint", request.value()));
    const std::string first_line = FirstLine(reply.body);
    if (reply.status == 200) {
      BOOST_OUTCOME_TRY(const uint64_t size, Attach(arguments, Attached(request.value(), reply.body)));
      old_size = std::to_string(size);
      return size;
    }
    if (reply.status == 409 && first_line != old_size) {
      BOOST_OUTCOME_TRY(const uint64_t seen, SizeOf(first_line, "the witness"));
      old_size = std::to_string(seen);
      continue;
    }
    if (reply.status == 409 || reply.status == 422) {
      // One size, two roots, or no consistency: whatever the witness holds decides.
      BOOST_OUTCOME_TRY(const audit::Status status, client.GetStatus());
      BOOST_OUTCOME_TRY(const std::string note, Latest(arguments, status.origin));
      BOOST_OUTCOME_TRY(Attach(arguments, note));
    }
    return audit::Error{audit::Code::kIo, "the witness refused (" + std::to_string(reply.status) + "): " + first_line};
  }
  return audit::Error{audit::Code::kIo, "the witness changed its mind three times"};
}

void Feed(Context& context, const WitnessArguments& arguments) {
  std::string old_size = arguments.old;
  for (;;) {
    const auto size = FeedOnce(arguments, old_size);
    if (size) {
      Answer(context, "portcullis.witness.feed/1", {{"witnessed", size.value()}}, WitnessedWords(size.value()));
    } else {
      std::cerr << "not witnessed: " << size.error().message << "\n";
      const bool refuted = size.error().code == audit::Code::kRolledBack || size.error().code == audit::Code::kForked;
      if (arguments.once || refuted) {
        context.exit_code = refuted ? kNo : kRemote;
        return;
      }
    }
    if (arguments.once) return;
    std::this_thread::sleep_for(std::chrono::seconds(arguments.interval));
  }
}

}  // namespace

void AddWitness(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<WitnessArguments>();
  CLI::App* noun = app.add_subcommand("witness", "vouch for another machine's log, or have this one vouched for");
  noun->require_subcommand(1);
  const auto add = [&](const char* name, const char* words, void (*run)(Context&, const WitnessArguments&)) {
    CLI::App* verb = noun->add_subcommand(name, words);
    verb->callback([&context, arguments, run] {
      certs::InitSodium();
      run(context, *arguments);
    });
    return verb;
  };
  const auto witness_options = [&](CLI::App* verb) {
    verb->add_option("--key", arguments->key, "the witness's key file")->required();
    verb->add_option("--state", arguments->state, "folder of what it has seen")->required();
    verb->add_option("--logs", arguments->logs, "verifier keys of the logs it vouches for")->required();
  };

  CLI::App* keygen = add("keygen", "create a witness's key pair", Keygen);
  keygen->add_option("--out", arguments->out, "key file; the verifier key goes to FILE.pub")->required();
  keygen->add_option("--name", arguments->name, "name, like example.org/witness")->required();

  CLI::App* serve = add("serve", "cosign checkpoints over HTTP (c2sp.org/tlog-witness)", Serve);
  witness_options(serve);
  serve->add_option("--listen", arguments->listen, "HOST:PORT or unix:/PATH");

  CLI::App* cosign = add("cosign", "cosign a request that came as a file", CosignFile);
  witness_options(cosign);
  cosign->add_option("FILE", arguments->file, "made by `witness request`")->required();
  cosign->add_option("--out", arguments->out, "the cosigned checkpoint; default standard output");

  CLI::App* request = add("request", "ask for cosigning by file", RequestFile);
  request->add_option("--socket", arguments->socket, "auditd's socket")->required();
  request->add_option("--old", arguments->old, "records that the witness has seen already");
  request->add_option("--out", arguments->out, "default standard output");

  CLI::App* attach = add("attach", "hand a cosigned checkpoint to auditd", AttachFile);
  attach->add_option("--socket", arguments->socket, "auditd's socket")->required();
  attach->add_option("FILE", arguments->file, "made by `witness cosign`")->required();

  CLI::App* feed = add("feed", "have a witness cosign this log, again and again", Feed);
  feed->add_option("--socket", arguments->socket, "auditd's socket")->required();
  feed->add_option("--url", arguments->url, "http://HOST:PORT or unix:/PATH")->required();
  feed->add_option("--interval", arguments->interval, "seconds")->check(CLI::Range(1, 86400));
  feed->add_flag("--once", arguments->once, "one round");

  CLI::App* fetch = add("fetch", "get the witness's memory of a log, for `portcullis-auditd --seen`", Fetch);
  fetch->add_option("--url", arguments->url, "http://HOST:PORT or unix:/PATH")->required();
  fetch->add_option("--origin", arguments->origin, "name of the log")->required();
  fetch->add_option("--out", arguments->out, "file")->required();
}

}  // namespace portcullis::cli
