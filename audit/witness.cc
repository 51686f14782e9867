#include "audit/witness.h"

#include <algorithm>

#include "audit/bytes.h"
#include "audit/cosignature.h"
#include "audit/layout.h"
#include "audit/signer.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kSizeType = "text/x.tlog.size";

Error Bad(const char* why) { return Error{Code::kBadFormat, std::string("add-checkpoint: ") + why}; }

WitnessReply Refuse(int status, const std::string& words) { return {status, kText, words + "\n"}; }

}  // namespace

std::string FormatAddCheckpoint(const AddCheckpoint& request) {
  std::string text = "old " + std::to_string(request.old_size) + "\n";
  for (const Hash& hash : request.proof) text += Base64(hash) + "\n";
  return text + "\n" + request.checkpoint;
}

Result<AddCheckpoint> ParseAddCheckpoint(std::string_view body) {
  if (body.size() > kMaxNote) return Bad("longer than 64 KiB");
  AddCheckpoint request;
  std::string_view line;
  if (!TakeLine(body, line) || !line.starts_with("old ")) return Bad("no `old` line");
  const auto size = ParseDecimal(line.substr(4));
  if (!size) return Bad("the old size is not a plain decimal number");
  request.old_size = size.value();
  for (;;) {
    if (!TakeLine(body, line)) return Bad("no empty line before the checkpoint");
    if (line.empty()) break;
    if (request.proof.size() == kMaxProofHashes) return Bad("more than 63 hashes");
    const auto hash = HashFromBase64(line);
    if (!hash) return Bad("a hash is not a base64 SHA-256");
    request.proof.push_back(hash.value());
  }
  request.checkpoint = body;
  return request;
}

std::filesystem::path Witness::StatePath(const std::string& origin) const {
  return folder_ / (Hex(OriginId(origin)) + ".checkpoint");
}

Result<Witness> Witness::Open(VerifierKey key, certs::SecretBytes secret,
                              std::filesystem::path state_folder, std::vector<VerifierKey> logs) {
  Witness witness;
  witness.key_ = std::move(key);
  witness.secret_ = std::move(secret);
  witness.folder_ = std::move(state_folder);
  BOOST_OUTCOME_TRY(MakeFolder(witness.folder_));
  BOOST_OUTCOME_TRY(witness.lock_, LockFile(witness.folder_ / "lock"));
  for (VerifierKey& log : logs) {
    if (log.type != NoteKeyType::kEd25519) {
      return Error{Code::kInvalidArgument, "`" + log.name + "` is a witness's key, not a log's"};
    }
    witness.logs_[log.name].push_back(std::move(log));
  }
  const VerifierKey& own = witness.key_;
  for (const auto& [origin, keys] : witness.logs_) {
    auto note = ReadFile(witness.StatePath(origin), kMaxNote);
    if (!note && note.error().code == Code::kNotFound) continue;
    if (!note) return note.error();
    // Our own cosignature is what tells a damaged or forged memory from a good one.
    const auto parsed = ParseNote(note.value());
    const auto cosigned = parsed ? Cosignatures(parsed.value(), {&own, 1})
                                 : Result<std::vector<Cosigned>>(parsed.error());
    if (!cosigned || cosigned.value().empty()) {
      return Error{Code::kTampered, "the memory of log `" + origin + "` in `" +
                                        witness.StatePath(origin).string() +
                                        "` does not carry this witness's cosignature"};
    }
    witness.latest_[origin] = std::move(note.value());
  }
  return witness;
}

WitnessReply Witness::Add(std::string_view body, uint64_t now) {
  const auto request = ParseAddCheckpoint(body);
  if (!request) return Refuse(400, request.error().message);
  const auto note = ParseNote(request.value().checkpoint);
  const auto checkpoint =
      note ? ParseCheckpointText(note.value().text) : Result<Checkpoint>(note.error());
  if (!checkpoint) return Refuse(400, checkpoint.error().message);
  const Checkpoint& head = checkpoint.value();
  const auto log = logs_.find(head.origin);
  if (log == logs_.end()) return Refuse(404, "this witness does not know the log");
  const bool trusted = std::any_of(log->second.begin(), log->second.end(), [&](const VerifierKey& key) {
    const auto by = SignedBy(note.value(), key);
    return by && by.value();
  });
  if (!trusted) return Refuse(403, "not signed by the log's key");
  if (request.value().old_size > head.size) return Refuse(400, "the old size is larger than the checkpoint");

  Checkpoint last{head.origin, 0, EmptyRoot()};
  if (const auto known = latest_.find(head.origin); known != latest_.end()) {
    const auto own = ParseNote(known->second);
    const auto parsed = own ? ParseCheckpointText(own.value().text) : Result<Checkpoint>(own.error());
    if (!parsed) return Refuse(500, "this witness's own memory is damaged");
    last = parsed.value();
  }
  if (request.value().old_size != last.size) {
    return {409, kSizeType, std::to_string(last.size) + "\n"};
  }
  if (last.size == head.size && last.root != head.root) {
    return {409, kSizeType, std::to_string(last.size) + "\n"};
  }
  if (!VerifyConsistency(last.size, head.size, request.value().proof, last.root, head.root)) {
    return Refuse(422, "the consistency proof does not hold");
  }
  const std::string line = Cosign(note.value().text, now, key_, secret_);
  // The log's own signatures are kept, so that the memory itself proves what the log signed.
  std::string kept = std::string(note.value().text) + "\n";
  for (const NoteSignature& signature : note.value().signatures) {
    const bool of_log = std::any_of(log->second.begin(), log->second.end(), [&](const VerifierKey& key) {
      return key.name == signature.name && key.Id() == signature.key_id;
    });
    if (of_log) kept += std::string(signature.line) + "\n";
  }
  kept += line;
  if (auto stored = ReplaceFile(StatePath(head.origin), kept, true); !stored) {
    return Refuse(500, "this witness cannot store what it saw");
  }
  latest_[head.origin] = std::move(kept);
  return {200, kText, line};
}

Result<std::string> Witness::Latest(const std::string& origin) const {
  const auto known = latest_.find(origin);
  if (known == latest_.end()) return Error{Code::kNotFound, "nothing cosigned for this log"};
  return known->second;
}

Result<void> MakeWitnessKey(const std::filesystem::path& path, const std::string& name) {
  if (!ValidOrigin(name)) {
    return Error{Code::kInvalidArgument, "the name must be like `example.org/witness`, 1 to 64 of a-z 0-9 . - _ / :"};
  }
  const certs::SecretBytes seed = certs::SecretBytes::Random(32);
  if (auto made = certs::WriteKeyFile(path, "ed25519-seed", seed.bytes()); !made) return FromCerts(made.error());
  certs::SecretBytes secret;
  BOOST_OUTCOME_TRY(const PublicKey key, LoadEd25519(path, secret));
  std::filesystem::path public_path = path;
  public_path += ".pub";
  return ReplaceFile(public_path, FormatVerifierKey({name, key, NoteKeyType::kCosignature}) + "\n", true);
}

Result<WitnessKey> LoadWitnessKey(const std::filesystem::path& path) {
  WitnessKey out;
  BOOST_OUTCOME_TRY(const PublicKey key, LoadEd25519(path, out.secret));
  std::filesystem::path public_path = path;
  public_path += ".pub";
  BOOST_OUTCOME_TRY(out.key, ReadVerifierKey(public_path));
  if (out.key.key != key || out.key.type != NoteKeyType::kCosignature) {
    return Error{Code::kKeys, "`" + public_path.string() + "` does not belong to `" + path.string() + "`"};
  }
  return out;
}

}  // namespace portcullis::audit
