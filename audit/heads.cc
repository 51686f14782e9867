#include "audit/heads.h"

#include <algorithm>

#include "audit/cosignature.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/succession.h"
#include "audit/witnessed.h"

namespace portcullis::audit {
namespace {

// Of a witness the largest head counts.
void Count(const Cosigned& one, uint64_t size, std::vector<WitnessSeen>& witnesses) {
  if (size == 0) return;  // of an empty log: vouches for nothing
  const auto known = std::find_if(witnesses.begin(), witnesses.end(),
                                  [&](const WitnessSeen& other) { return other.name == one.witness.name; });
  if (known == witnesses.end()) witnesses.push_back(WitnessSeen{one.witness.name, size, one.time});
  else if (size > known->size) *known = WitnessSeen{one.witness.name, size, one.time};
}

Result<std::vector<std::string>> NotesOf(const std::filesystem::path& file, const VerifierKey& key) {
  const auto bad = [&](const Error& error) {
    return Error{Code::kInvalidArgument, "`" + file.string() + "` is no checkpoint of this log: " + error.message};
  };
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(file, kMaxNote));
  const auto notes = SplitNotes(text);
  if (!notes) return bad(notes.error());
  for (const std::string_view note : notes.value()) {
    if (auto opened = OpenCheckpoint(note, key); !opened) return bad(opened.error());
  }
  return std::vector<std::string>(notes.value().begin(), notes.value().end());
}

}  // namespace

Result<Heads> ReadHeads(const VerifyOptions& options, const VerifierKey& key) {
  const LogLayout layout(options.log_folder);
  Heads all;
  BOOST_OUTCOME_TRY(all.checkpoint, ReadFile(layout.checkpoint(), kMaxNote));
  BOOST_OUTCOME_TRY(const Checkpoint own, OpenCheckpoint(all.checkpoint, key));
  all.heads.push_back(SeenHead{own, "the signed checkpoint"});
  size_t given = options.seen.size();  // they come first
  std::vector<std::string> notes = options.seen;
  const auto witnessed = ReadFile(layout.witnessed(), kMaxNote);
  if (witnessed) {
    BOOST_OUTCOME_TRY(const auto split, SplitNotes(witnessed.value()));
    notes.insert(notes.end(), split.begin(), split.end());
  } else if (witnessed.error().code != Code::kNotFound) {
    return witnessed.error();
  }
  notes.push_back(all.checkpoint);
  for (const std::string& text : notes) {
    BOOST_OUTCOME_TRY(const Checkpoint seen, OpenCheckpoint(text, key));
    BOOST_OUTCOME_TRY(const Note note, ParseNote(text));
    BOOST_OUTCOME_TRY(const auto cosigned, Cosignatures(note, options.witnesses));
    for (const Cosigned& one : cosigned) Count(one, seen.size, all.witnesses);
    all.heads.push_back(SeenHead{seen,
                                 cosigned.empty() ? "a checkpoint that was kept"
                                                  : "the checkpoint cosigned by `" + cosigned[0].witness.name + "`",
                                 given > 0});
    if (given > 0) --given;
  }
  return all;
}

Result<void> ReadSeen(const std::vector<std::string>& files, VerifyOptions& options) {
  const auto own = ReadLogKey(options.log_folder);
  if (!options.key && !own) return Ok();  // nothing can be checked; the verdict says so
  std::vector<std::string> told;          // the verdict says that, too
  const VerifierKey key = FollowSuccession(options.log_folder, options.key ? *options.key : own.value(), told, told);
  for (const std::string& file : files) {
    auto notes = NotesOf(file, key);
    if (!notes && own) notes = NotesOf(file, own.value());
    if (!notes) return notes.error();
    options.seen.insert(options.seen.end(), notes.value().begin(), notes.value().end());
  }
  return Ok();
}

}  // namespace portcullis::audit
