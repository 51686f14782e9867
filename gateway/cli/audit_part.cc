// `portcullis audit release-part | open-part`: one part of one record for one person. An auditor who can open
// the record gives a prompt or an answer away without the rest; who receives it opens and checks it with a
// key of its own and the log's verifier key, anywhere. With --socket the giving is recorded first
// (AUDIT_READ).
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "audit/client.h"
#include "audit/count.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/new_file.h"
#include "audit/part_release.h"
#include "audit/prover.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxFile = 160u << 20;

struct PartArguments {
  std::string log, part, to, out, socket, file, key, log_key;
  OpeningArguments opening;
  uint64_t seq = 0;
};

audit::Result<void> RecordGiving(const PartArguments& arguments, const audit::Leaf& leaf, const audit::AuditorKey& to) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  event.parent_seq = leaf.seq;
  const json::object facts{{"what", "release-part"}, {"seq", leaf.seq}, {"part", arguments.part},
                           {"to_key", audit::Hex(audit::KeyIdOf(to))}, {"uid", ::getuid()}};
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

audit::Result<std::string> MakeRelease(const PartArguments& arguments, audit::PartType type) {
  BOOST_OUTCOME_TRY(const audit::VerifierKey key, audit::ReadLogKey(arguments.log));
  BOOST_OUTCOME_TRY(const audit::AuditorKey to, audit::ReadAuditorPublic(arguments.to));
  BOOST_OUTCOME_TRY(const audit::LoadedRecord record, audit::LoadRecord(arguments.log, key, arguments.seq));
  if (record.erased || record.key_payload.empty()) {
    return audit::Error{audit::Code::kNotFound, "record " + std::to_string(arguments.seq) +
                                                    (record.erased ? ": the content was erased" : " has no content")};
  }
  if ((record.shredded & audit::PartBit(type)) != 0) return audit::PartShredded(arguments.seq, type);
  BOOST_OUTCOME_TRY(const audit::Prover prover, audit::Prover::Open(arguments.log, key));
  BOOST_OUTCOME_TRY(const auto proof, prover.Prove(arguments.seq, record.leaf_hash));
  if (!proof) {
    return audit::Error{audit::Code::kNotFound, "the record is not under a signed checkpoint yet; try again in a second"};
  }
  if (!arguments.socket.empty()) {
    auto told = RecordGiving(arguments, record.leaf, to);
    if (!told) return audit::Error{audit::Code::kIo, "not released, as it could not be recorded: " + told.error().message};
  }
  Opening opening;
  BOOST_OUTCOME_TRY(opening.Prepare(arguments.opening, key));
  audit::RecordOpener opener = opening.MakeOpener(key.name);
  opener.TakeKey(record.key_leaf, record.key_payload);
  BOOST_OUTCOME_TRY(const certs::SecretBytes part_key, opener.PartKey(record.leaf, type));
  return audit::SealPartRelease(key.name, to, record.leaf, record.payload, type, part_key, *proof);
}

void ReleasePart(Context& context, const PartArguments& arguments) {
  const auto type = audit::PartFromName(arguments.part);
  if (!type || *type == audit::PartType::kWrapSet) {
    return Fail(context, kUsage, "--part: `" + arguments.part + "` is none of metadata, prompt, answer, reasoning, tools, decision");
  }
  if (!arguments.opening.any()) {
    return Fail(context, kUsage, "--auditor-key and --release (or, on the box, --keys) open the record; give both");
  }
  const auto file = MakeRelease(arguments, *type);
  if (!file) {
    const bool no = file.error().code == audit::Code::kNotFound || file.error().code == audit::Code::kTampered;
    return Fail(context, no ? kNo : kUsage, file.error().message);
  }
  if (auto put = audit::WriteNewFile(arguments.out, file.value()); !put) return Fail(context, kUsage, put.error().message);
  Answer(context, "portcullis.audit.release-part/1",
         {{"file", arguments.out}, {"seq", arguments.seq}, {"part", arguments.part}, {"to", arguments.to}},
         arguments.out + " holds the part `" + arguments.part + "` of record " + std::to_string(arguments.seq) +
             " and opens nothing else; only the key of " + arguments.to + " opens it");
}

void OpenPart(Context& context, const PartArguments& arguments) {
  const auto log_key = audit::ReadVerifierKey(arguments.log_key);
  if (!log_key) return Fail(context, kUsage, log_key.error().message);
  const auto secret = audit::ReadAuditorSecret(arguments.key);
  if (!secret) return Fail(context, kUsage, secret.error().message);
  const auto file = audit::ReadFile(arguments.file, kMaxFile);
  if (!file) return Fail(context, kUsage, file.error().message);
  const auto opened = audit::OpenPartRelease(file.value(), log_key.value(), secret.value());
  if (!opened) return Fail(context, opened.error().code == audit::Code::kKeys ? kUsage : kNo, opened.error().message);
  const audit::ReleasedPart& part = opened.value();
  if (context.json) {
    json::object out = Summary(part.leaf, part.leaf_hash);
    out["schema"] = "portcullis.audit.part/1";
    out["checkpoint_size"] = part.checkpoint.size;
    out["parts"] = Contents({part.part});
    std::cout << json::serialize(out) << "\n";
    return;
  }
  std::cerr << audit::PartName(part.part.type) << " of record " << part.leaf.seq << ", " << TimeText(part.leaf.wall_us)
            << ", in the log " << log_key.value().name << " under its checkpoint of "
            << audit::CountedRecords(part.checkpoint.size) << "\n";
  std::cout << ForTerminal(part.part.bytes) << "\n";
}

}  // namespace

void AddAuditPart(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<PartArguments>();
  CLI::App* give = noun.add_subcommand("release-part", "one part of one record, for one key");
  give->add_option("SEQ", arguments->seq, "the record's number")->required();
  give->add_option("--part", arguments->part, "metadata, prompt, answer, reasoning, tools or decision")->required();
  give->add_option("--log", arguments->log, "folder of the log")->required();
  AddOpeningOptions(*give, arguments->opening);
  give->add_option("--to", arguments->to, "public key of who may open it, as `audit keygen` makes them")->required();
  give->add_option("--out", arguments->out, "a new file")->required();
  give->add_option("--socket", arguments->socket, "auditd's socket: the release is recorded first");
  give->callback([&context, arguments] {
    certs::InitSodium();
    ReleasePart(context, *arguments);
  });

  CLI::App* open = noun.add_subcommand("open-part", "open and check a part that was released to you");
  open->add_option("FILE", arguments->file, "the file")->required();
  open->add_option("--key", arguments->key, "your secret key")->required();
  open->add_option("--log-key", arguments->log_key, "the log's verifier key, log.pub")->required();
  open->callback([&context, arguments] {
    certs::InitSodium();
    OpenPart(context, *arguments);
  });
}

}  // namespace portcullis::cli
