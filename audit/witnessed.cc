#include "audit/witnessed.h"

#include <algorithm>

namespace portcullis::audit {
namespace {

constexpr std::string_view kSignatureMark = "\u2014 ";

// Behind the last of those that stand under one note with this one: they have its head, and are as many as a note
// takes beside the log's own signature.
template <class Entry>
size_t EndOfNote(const std::vector<Entry>& entries, size_t entry) {
  const size_t most = std::min(entries.size(), entry + kMaxNoteSignatures - 1);
  size_t end = entry + 1;
  while (end < most && entries[end].head == entries[entry].head) ++end;
  return end;
}

}  // namespace

// A note has one empty line of its own, before its signatures.
Result<std::vector<std::string_view>> SplitNotes(std::string_view file) {
  std::vector<std::string_view> notes;
  for (size_t at = 0; at < file.size();) {
    size_t end = file.find("\n\n", at);
    while (end != std::string_view::npos && file.substr(end + 2).starts_with(kSignatureMark)) {
      end = file.find("\n\n", end + 1);
    }
    const size_t after = end == std::string_view::npos ? file.size() : end + 1;
    notes.push_back(file.substr(at, after - at));
    if (notes.size() > kMaxWitnessedNotes) break;
    at = end == std::string_view::npos ? file.size() : end + 2;
    if (end != std::string_view::npos && at == file.size()) notes.push_back({});  // an empty line ends no file
  }
  const bool empty = notes.empty() || std::any_of(notes.begin(), notes.end(), [](auto note) { return note.empty(); });
  if (empty || notes.size() > kMaxWitnessedNotes) {
    return Error{Code::kBadFormat, "witnessed: 1 to " + std::to_string(kMaxWitnessedNotes) + " notes are expected"};
  }
  return notes;
}

Result<Witnessed> Witnessed::Parse(std::string_view file, const VerifierKey& key, std::vector<VerifierKey> witnesses) {
  Witnessed all(std::move(witnesses));
  BOOST_OUTCOME_TRY(const auto notes, SplitNotes(file));
  for (const std::string_view note : notes) {
    auto taken = all.Take(note, key);
    if (taken || taken.error().code == Code::kInvalidArgument) continue;  // of a witness that is none any more
    return taken.error();
  }
  return all;
}

Result<uint64_t> Witnessed::Take(std::string_view text, const VerifierKey& key) {
  BOOST_OUTCOME_TRY(const Checkpoint head, OpenCheckpoint(text, key));
  BOOST_OUTCOME_TRY(const Note note, ParseNote(text));
  BOOST_OUTCOME_TRY(const auto cosigned, Cosignatures(note, witnesses_));
  if (cosigned.empty()) return Error{Code::kInvalidArgument, "no witness of this log has cosigned the checkpoint"};
  // Of the log's lines the one that was checked alone: anybody can put lines with its name there.
  const auto own = std::find_if(note.signatures.begin(), note.signatures.end(), [&](const NoteSignature& one) {
    return one.name == key.name && one.key_id == key.Id();
  });
  const std::string signed_by_log = std::string(note.text) + "\n" + std::string(own->line) + "\n";
  uint64_t size = 0;
  for (const Cosigned& one : cosigned) {
    auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& other) { return other.by.witness == one.witness; });
    if (entry == entries_.end()) entry = entries_.insert(entries_.end(), Entry{head, signed_by_log, one});
    else if (head.size >= entry->head.size) *entry = Entry{head, signed_by_log, one};
    size = std::max(size, entry->head.size);
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.head.size > b.head.size; });
  head_ = entries_.front().head;
  note_ = NoteOf(0);
  return size;
}

std::string Witnessed::NoteOf(size_t entry) const {
  std::string note = entries_[entry].signed_by_log;
  for (size_t i = entry; i < EndOfNote(entries_, entry); ++i) note += entries_[i].by.line;
  return note;
}

std::string Witnessed::Text() const {
  std::string text;
  for (size_t i = 0; i < entries_.size(); i = EndOfNote(entries_, i)) text += (i > 0 ? "\n" : "") + NoteOf(i);
  return text;
}

}  // namespace portcullis::audit
