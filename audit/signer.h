// The signer of checkpoints. It keeps its own durable memory (size, root and the tree's right edge) in
// the keys folder, grows its own copy of the tree from leaf hashes, and signs only what its own
// computation gives: never a smaller tree, never another history. SIGNER STATE in FORMAT.md.
// Order of a signature: state durable first, then the note goes out. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "audit/error.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

class Signer {
 public:
  // Reads log.key and signer.state. Fails when the state is missing: it is never begun anew silently.
  static Result<Signer> Open(const std::filesystem::path& keys_folder, const std::string& origin);
  // Writes the state of the empty tree; for InitLog.
  static Result<void> Begin(const std::filesystem::path& keys_folder, const std::string& origin);

  // `leaves` are the leaf hashes from size() on; `root` is what the writer computed. The note.
  Result<std::string> Sign(std::span<const Hash> leaves, const Hash& root);
  Signature Endorse(const PublicKey& writer) const;

  const VerifierKey& key() const { return key_; }
  uint64_t size() const { return tree_.size(); }
  Hash root() const { return tree_.Root(); }

 private:
  Signer() = default;

  std::filesystem::path state_path_;
  VerifierKey key_;
  certs::SecretBytes secret_;
  CompactRange tree_;
};

// The Ed25519 key pair of a seed file, secret key in `secret`.
Result<PublicKey> LoadEd25519(const std::filesystem::path& path, certs::SecretBytes& secret);
bool VerifyEd25519(std::string_view text, const Signature& signature, const PublicKey& key);
Signature SignEd25519(std::string_view text, const certs::SecretBytes& secret);

}  // namespace portcullis::audit
