// The signer of checkpoints. It keeps its own durable memory in the keys folder: size, the tree's right
// edge, where in the segments that head lies (so that a start reads the tail only), and which hardware counter
// it was written under. It grows its
// own copy of the tree from leaf hashes and signs only what its own computation gives: never a smaller
// tree, never another history. SIGNER STATE in FORMAT.md. Order of a signature: state durable first,
// then the note goes out. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "audit/daykey.h"
#include "audit/error.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/segment.h"
#include "certs/secret.h"

namespace portcullis::audit {

// Where a durable head lies in the segments, and what was unfinished there.
struct ResumePoint {
  uint64_t segment = 0;             // number; meaningless while the tree is empty
  uint64_t offset = 0;              // end of the head's last batch
  Hash last_batch{};
  bool stopped = true;              // the last record is a STOP
  std::map<uint64_t, Id> open;      // REQs without an end, by seq

  bool operator==(const ResumePoint&) const = default;
};

// The hardware counter that this memory may not be older than.
struct CounterMemory {
  enum class Use : uint8_t { kNone = 0, kBeingCreated = 1, kInUse = 2 };
  Use use = Use::kNone;
  Hash name{};
  uint64_t value = 0;  // the counter stands there, or one below

  bool operator==(const CounterMemory&) const = default;
};

class Signer {
 public:
  // Reads log.key and signer.state. Fails when the state is missing: it is never begun anew silently.
  static Result<Signer> Open(const std::filesystem::path& keys_folder, const std::string& origin);
  // Writes the state of the empty tree; for InitLog.
  static Result<void> Begin(const std::filesystem::path& keys_folder, const std::string& origin);

  // `leaves` are the leaf hashes from size() on; `root` is what the writer computed. The note, with the
  // log key's signature and that of `day` (null: none).
  Result<std::string> Sign(std::span<const Hash> leaves, const Hash& root, ResumePoint resume,
                           const DayKey* day);
  // Any other text of this log.
  std::string SignText(std::string_view text) const { return SignNote(text, key_, secret_); }
  Signature Endorse(uint32_t day, const PublicKey& key) const;

  // What else must not go back: durable with the next Sign, or at once with Save.
  void set_store_generation(uint64_t generation) { store_generation_ = generation; }
  void set_counter(const CounterMemory& counter) { counter_ = counter; }
  void set_counter_value(uint64_t value) { counter_.value = value; }
  Result<void> Save() const;

  const VerifierKey& key() const { return key_; }
  uint64_t size() const { return tree_.size(); }
  Hash root() const { return tree_.Root(); }
  const CompactRange& tree() const { return tree_; }
  const ResumePoint& resume() const { return resume_; }
  uint64_t store_generation() const { return store_generation_; }
  const CounterMemory& counter() const { return counter_; }

 private:
  friend Result<Signer> DecodeSignerState(std::string_view text, const std::string& origin);
  std::string EncodeState(const CompactRange& tree, const ResumePoint& resume) const;

  std::filesystem::path state_path_;
  VerifierKey key_;
  certs::SecretBytes secret_;
  CompactRange tree_;
  ResumePoint resume_;
  uint64_t store_generation_ = 0;
  CounterMemory counter_;
};

// The file's content; whether the log key signed it is for who has the key. For Open and for tests.
Result<Signer> DecodeSignerState(std::string_view text, const std::string& origin);

// The Ed25519 key pair of a seed file, secret key in `secret`.
Result<PublicKey> LoadEd25519(const std::filesystem::path& path, certs::SecretBytes& secret);
bool VerifyEd25519(std::string_view text, const Signature& signature, const PublicKey& key);
Signature SignEd25519(std::string_view text, const certs::SecretBytes& secret);

}  // namespace portcullis::audit
