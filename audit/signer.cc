#include "audit/signer.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "audit/bytes.h"
#include "audit/file.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kMagic = "portcullis audit signer v1\n";
constexpr const char* kStateFile = "signer.state";
constexpr size_t kMaxState = 1 << 14;

// magic, origin, size u64, nodes of the right edge, SHA-256 of all before it.
std::string EncodeState(const std::string& origin, const CompactRange& tree) {
  std::string text(kMagic);
  ByteWriter out(text);
  out.PutSized<uint8_t>(origin);
  out.Put(tree.size());
  for (const Hash& node : tree.nodes()) out.PutBytes(node);
  out.PutBytes(Sha256(text));
  return text;
}

Result<CompactRange> DecodeState(std::string_view text, const std::string& origin,
                                 const std::filesystem::path& path) {
  const auto bad = [&path](const char* why) {
    return Error{Code::kTampered, "signer state `" + path.string() + "`: " + why};
  };
  if (text.size() < sizeof(Hash)) return bad("cut short");
  const std::string_view body = text.substr(0, text.size() - sizeof(Hash));
  if (AsText(Sha256(body)) != text.substr(body.size())) return bad("checksum does not match");
  if (!body.starts_with(kMagic)) return bad("unknown format");
  ByteReader in(body.substr(kMagic.size()));
  if (in.GetSized<uint8_t>(64) != origin) return bad("it belongs to a log of another origin");
  const uint64_t size = in.Get<uint64_t>();
  std::vector<Hash> nodes(in.left() / sizeof(Hash));
  for (Hash& node : nodes) node = in.GetArray<32>();
  if (!in.Finished()) return bad("wrong size");
  return CompactRange::Restore(size, std::move(nodes));
}

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

Result<void> Signer::Begin(const std::filesystem::path& keys_folder, const std::string& origin) {
  return ReplaceFile(keys_folder / kStateFile, EncodeState(origin, CompactRange()), true);
}

Result<Signer> Signer::Open(const std::filesystem::path& keys_folder, const std::string& origin) {
  Signer signer;
  signer.state_path_ = keys_folder / kStateFile;
  signer.key_.name = origin;
  BOOST_OUTCOME_TRY(signer.key_.key,
                    LoadEd25519(certs::FindKey(keys_folder, "log.key"), signer.secret_));
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(signer.state_path_, kMaxState));
  BOOST_OUTCOME_TRY(signer.tree_, DecodeState(text, origin, signer.state_path_));
  return signer;
}

Result<std::string> Signer::Sign(std::span<const Hash> leaves, const Hash& root) {
  CompactRange next = tree_;
  for (const Hash& leaf : leaves) next.Append(leaf);
  if (next.Root() != root) {
    return Error{Code::kForked, "signer: the writer's root at size " + std::to_string(next.size()) +
                                    " is not the one computed here; nothing was signed"};
  }
  BOOST_OUTCOME_TRY(ReplaceFile(state_path_, EncodeState(key_.name, next), true));
  tree_ = std::move(next);
  return SignCheckpoint(Checkpoint{key_.name, tree_.size(), root}, key_, secret_);
}

Signature Signer::Endorse(const PublicKey& writer) const {
  return SignEd25519(EndorsementText(key_.name, writer), secret_);
}

}  // namespace portcullis::audit
