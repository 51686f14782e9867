#include "audit/succession.h"

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kHeader = "portcullis audit successor v1";

Error Bad(const std::string& why) { return Error{Code::kBadFormat, "`predecessor`: " + why}; }

Result<std::string_view> Field(std::string_view& text, std::string_view name) {
  std::string_view line;
  if (!TakeLine(text, line) || !line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') {
    return Bad("expected a line `" + std::string(name) + " ...`");
  }
  return line.substr(name.size() + 1);
}

}  // namespace

std::string MakeSuccession(const Succession& succession, const certs::SecretBytes& old_secret,
                           const certs::SecretBytes& new_secret) {
  const std::string text = std::string(kHeader) + "\nlog " + FormatVerifierKey(succession.old_key) + "\nsize " +
                           std::to_string(succession.old_head.size) + "\nroot " + Base64(succession.old_head.root) +
                           "\nnew-log " + FormatVerifierKey(succession.new_key) + "\n";
  return SignNote(text, succession.old_key, old_secret) +
         SignatureLine(succession.new_key, SignEd25519(text, new_secret));
}

Result<Succession> OpenSuccession(std::string_view note_text) {
  BOOST_OUTCOME_TRY(const Note note, ParseNote(note_text));
  std::string_view text = note.text, line;
  if (!TakeLine(text, line) || line != kHeader) return Bad("unknown header");
  Succession found;
  BOOST_OUTCOME_TRY(const std::string_view old_key, Field(text, "log"));
  BOOST_OUTCOME_TRY(found.old_key, ParseVerifierKey(old_key));
  found.old_head.origin = found.old_key.name;
  BOOST_OUTCOME_TRY(const std::string_view size, Field(text, "size"));
  BOOST_OUTCOME_TRY(found.old_head.size, ParseDecimal(size));
  BOOST_OUTCOME_TRY(const std::string_view root, Field(text, "root"));
  BOOST_OUTCOME_TRY(found.old_head.root, HashFromBase64(root));
  BOOST_OUTCOME_TRY(const std::string_view new_key, Field(text, "new-log"));
  BOOST_OUTCOME_TRY(found.new_key, ParseVerifierKey(new_key));
  if (!text.empty()) return Bad("text after the new log's key");
  for (const VerifierKey* key : {&found.old_key, &found.new_key}) {
    BOOST_OUTCOME_TRY(const bool by, SignedBy(note, *key));
    if (!by) return Bad("the key of `" + key->name + "` has not signed it");
  }
  return found;
}

VerifierKey FollowSuccession(const std::filesystem::path& log_folder, const VerifierKey& key,
                             std::vector<std::string>& notes, std::vector<std::string>& warnings) {
  const auto text = ReadFile(LogLayout(log_folder).predecessor(), kMaxNote);
  if (!text && text.error().code == Code::kNotFound) return key;
  const auto found = text ? OpenSuccession(text.value()) : Result<Succession>(text.error());
  if (!found) {
    warnings.push_back(found.error().message + "; it does not show which log this one continues");
    return key;
  }
  const Succession& said = found.value();
  const std::string old_log = "`" + said.old_key.name + "` (" + FormatVerifierKey(said.old_key) + ") behind its " +
                              std::to_string(said.old_head.size) + " records, root " + Base64(said.old_head.root);
  if (key == said.old_key) {
    notes.push_back("the key given is that of " + old_log + ": it has named this log's key, " +
                    FormatVerifierKey(said.new_key) + ", as its successor, against which this log was checked");
    return said.new_key;
  }
  if (key == said.new_key) {
    notes.push_back("this log continues " + old_log + ": the keys of both have signed so");
  } else {
    warnings.push_back("`predecessor` is about another log's key; it does not show which log this one continues");
  }
  return key;
}

}  // namespace portcullis::audit
