// The newest head that each of a log's witnesses has cosigned: what the file `witnessed` holds (WITNESSES in
// FORMAT.md), signed notes, the largest head first, an empty line between two. So that witnesses who come one
// after the other do not push each other out. Lines of unknown signers are left out. Pure; strict and bounded.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/cosignature.h"
#include "audit/error.h"
#include "audit/note.h"

namespace portcullis::audit {

inline constexpr size_t kMaxWitnessedNotes = 16;

// Views into the file. At least one, none of which is empty.
Result<std::vector<std::string_view>> SplitNotes(std::string_view file);

class Witnessed {
 public:
  Witnessed() = default;
  explicit Witnessed(std::vector<VerifierKey> witnesses) : witnesses_(std::move(witnesses)) {}
  // Heads of the log `key`; cosignatures of others than `witnesses` are left out.
  static Result<Witnessed> Parse(std::string_view file, const VerifierKey& key, std::vector<VerifierKey> witnesses);

  // A note of this log that at least one of the witnesses cosigned (kInvalidArgument: none has). Of each
  // witness the larger head stays. Gives the size that they have cosigned now.
  Result<uint64_t> Take(std::string_view note, const VerifierKey& key);

  std::string Text() const;
  // The largest head, and its note; size 0 where there is none.
  const Checkpoint& head() const { return head_; }
  const std::string& note() const { return note_; }
  const std::vector<VerifierKey>& witnesses() const { return witnesses_; }

 private:
  struct Entry {
    Checkpoint head;
    std::string signed_by_log;  // the note with the log key's signature alone
    Cosigned by;
  };
  std::string NoteOf(size_t entry) const;

  std::vector<VerifierKey> witnesses_;
  std::vector<Entry> entries_;  // one a witness, the largest head first
  Checkpoint head_;
  std::string note_;
};

}  // namespace portcullis::audit
