#include "audit/signer.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "audit/bytes.h"
#include "audit/file.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kMagic = "portcullis audit signer v3\n";
constexpr const char* kStateFile = "signer.state";
constexpr size_t kMaxState = 4u << 20;
constexpr uint32_t kMaxOpen = 1u << 16;

Error Bad(const char* why) { return Error{Code::kTampered, std::string("signer state: ") + why}; }

}  // namespace

Result<PublicKey> LoadEd25519(const std::filesystem::path& path, certs::SecretBytes& secret) {
  auto seed = certs::ReadKeyFile(path, "ed25519-seed", crypto_sign_SEEDBYTES);
  if (!seed) return FromCerts(seed.error());
  PublicKey key;
  secret = certs::SecretBytes(crypto_sign_SECRETKEYBYTES);
  crypto_sign_seed_keypair(key.data(), secret.data(), seed.value().data());
  return key;
}

bool VerifyEd25519(std::string_view text, const Signature& signature, const PublicKey& key) {
  return crypto_sign_verify_detached(signature.data(), AsBytes(text).data(), text.size(), key.data()) == 0;
}

Signature SignEd25519(std::string_view text, const certs::SecretBytes& secret) {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, AsBytes(text).data(), text.size(), secret.data());
  return signature;
}

std::string Signer::EncodeState(const CompactRange& tree, const ResumePoint& resume) const {
  std::string text(kMagic);
  ByteWriter out(text);
  out.PutSized<uint8_t>(key_.name);
  out.Put(tree.size());
  for (const Hash& node : tree.nodes()) out.PutBytes(node);
  out.Put(resume.segment);
  out.Put(resume.offset);
  out.PutBytes(resume.last_batch);
  out.Put(static_cast<uint8_t>(resume.stopped ? 1 : 0));
  out.Put(static_cast<uint32_t>(resume.open.size()));
  for (const auto& [seq, id] : resume.open) {
    out.Put(seq);
    out.PutBytes(id);
  }
  out.Put(store_generation_);
  out.Put(static_cast<uint8_t>(counter_.use));
  out.PutBytes(counter_.name);
  out.Put(counter_.value);
  out.PutBytes(Sha256(text));
  out.PutBytes(SignEd25519(text, secret_));
  return text;
}

Result<Signer> DecodeSignerState(std::string_view text, const std::string& origin) {
  if (text.size() < sizeof(Hash) + sizeof(Signature)) return Bad("cut short");
  text.remove_suffix(sizeof(Signature));
  const std::string_view body = text.substr(0, text.size() - sizeof(Hash));
  if (AsText(Sha256(body)) != text.substr(body.size())) return Bad("checksum does not match");
  if (!body.starts_with(kMagic)) {
    return Error{Code::kBadFormat, "signer state: another version of the format (this program reads version 3)"};
  }
  ByteReader in(body.substr(kMagic.size()));
  if (in.GetSized<uint8_t>(64) != origin) return Bad("it belongs to a log of another origin");
  Signer signer;
  const uint64_t size = in.Get<uint64_t>();
  std::vector<Hash> nodes(static_cast<size_t>(std::popcount(size)));
  for (Hash& node : nodes) node = in.GetArray<32>();
  BOOST_OUTCOME_TRY(signer.tree_, CompactRange::Restore(size, std::move(nodes)));
  ResumePoint& resume = signer.resume_;
  resume.segment = in.Get<uint64_t>();
  resume.offset = in.Get<uint64_t>();
  resume.last_batch = in.GetArray<32>();
  const uint8_t stopped = in.Get<uint8_t>();
  resume.stopped = stopped == 1;
  const uint32_t open = in.Get<uint32_t>();
  if (stopped > 1 || open > kMaxOpen) return Bad("a field is out of bounds");
  for (uint32_t i = 0; i < open && !in.failed(); ++i) {
    const uint64_t seq = in.Get<uint64_t>();
    resume.open[seq] = in.GetArray<16>();
  }
  signer.store_generation_ = in.Get<uint64_t>();
  const uint8_t use = in.Get<uint8_t>();
  if (use > static_cast<uint8_t>(CounterMemory::Use::kInUse)) return Bad("a field is out of bounds");
  signer.counter_.use = static_cast<CounterMemory::Use>(use);
  signer.counter_.name = in.GetArray<32>();
  signer.counter_.value = in.Get<uint64_t>();
  if (!in.Finished()) return Bad("wrong size");
  return signer;
}

Result<void> Signer::Begin(const std::filesystem::path& keys_folder, const std::string& origin) {
  Signer empty;
  empty.key_.name = origin;
  BOOST_OUTCOME_TRY(empty.key_.key, LoadEd25519(certs::FindKey(keys_folder, "log.key"), empty.secret_));
  return ReplaceFile(keys_folder / kStateFile, empty.EncodeState({}, {}), true);
}

Result<Signer> Signer::Open(const std::filesystem::path& keys_folder, const std::string& origin) {
  const std::filesystem::path path = keys_folder / kStateFile;
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(path, kMaxState));
  auto decoded = DecodeSignerState(text, origin);
  if (!decoded) return Error{decoded.error().code, "`" + path.string() + "`: " + decoded.error().message};
  Signer signer = std::move(decoded.value());
  signer.state_path_ = path;
  signer.key_.name = origin;
  BOOST_OUTCOME_TRY(signer.key_.key,
                    LoadEd25519(certs::FindKey(keys_folder, "log.key"), signer.secret_));
  Signature signature;
  const std::string_view covered = std::string_view(text).substr(0, text.size() - signature.size());
  std::copy_n(text.end() - static_cast<std::ptrdiff_t>(signature.size()), signature.size(), signature.begin());
  if (!VerifyEd25519(covered, signature, signer.key_.key)) {
    return Error{Code::kTampered, "`" + path.string() + "`: not signed by this log's key: somebody changed it"};
  }
  return signer;
}

Result<std::string> Signer::Sign(std::span<const Hash> leaves, const Hash& root, ResumePoint resume,
                                 const DayKey* day) {
  CompactRange next = tree_;
  for (const Hash& leaf : leaves) next.Append(leaf);
  if (next.Root() != root) {
    return Error{Code::kForked, "signer: the writer's root at size " + std::to_string(next.size()) +
                                    " is not the one computed here; nothing was signed"};
  }
  BOOST_OUTCOME_TRY(ReplaceFile(state_path_, EncodeState(next, resume), true));
  tree_ = std::move(next);
  resume_ = std::move(resume);
  const std::string text = CheckpointText(Checkpoint{key_.name, tree_.size(), root});
  std::string note = SignNote(text, key_, secret_);
  if (day != nullptr) {
    const VerifierKey key{key_.name, day->key};
    note += SignatureLine(key, SignEd25519(text, day->secret));
  }
  return note;
}

Result<void> Signer::Save() const { return ReplaceFile(state_path_, EncodeState(tree_, resume_), true); }

Signature Signer::Endorse(uint32_t day, const PublicKey& key) const {
  return SignEd25519(EndorsementText(key_.name, day, key), secret_);
}

}  // namespace portcullis::audit
