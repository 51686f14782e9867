#include "audit/override.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "audit/erase.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/scan.h"
#include "audit/signer.h"
#include "audit/succession.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kHeader = "portcullis audit override v2";
constexpr size_t kOfficersNeeded = 2;
constexpr size_t kMaxReason = 1024;

Error Bad(const std::string& why) { return Error{Code::kBadFormat, "override: " + why}; }

Result<std::string_view> Field(std::string_view& text, std::string_view name) {
  std::string_view line;
  if (!TakeLine(text, line) || !line.starts_with(name) || line.size() <= name.size() ||
      line[name.size()] != ' ') {
    return Bad("expected a line `" + std::string(name) + " ...`");
  }
  return line.substr(name.size() + 1);
}

Result<void> RenameAside(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code ignored;
  if (!std::filesystem::exists(from, ignored)) return Error{Code::kNotFound, "`" + from.string() + "` is not there"};
  if (std::filesystem::exists(to, ignored)) return Error{Code::kExists, "`" + to.string() + "` is in the way"};
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError("cannot set aside", from, errno);
  return Ok();
}

// Erasures that the old log has begun are ended there: their notes name its segments, not the new log's.
Result<void> FinishErasures(const std::filesystem::path& keys_folder, const std::filesystem::path& old_log) {
  BOOST_OUTCOME_TRY(const auto store, OpenKeyStore(keys_folder, KeyStore::Mode::kReadWrite));
  BOOST_OUTCOME_TRY(auto pending, store->PendingErasures());
  if (pending.empty()) return Ok();
  for (const auto& [end, keys] : pending.begun) {
    for (const SubjectKeyId& key : keys) {
      BOOST_OUTCOME_TRY(store->DestroyKey(key, end));
    }
  }
  for (const auto& [end, parts] : pending.parts_begun) {
    for (const PartShredding& part : parts) {
      BOOST_OUTCOME_TRY(store->PuncturePart(part, end));
    }
  }
  BOOST_OUTCOME_TRY(store->Rekey());
  BOOST_OUTCOME_TRY(pending, store->PendingErasures());
  for (const auto& [end, targets] : TargetsOf(pending)) {
    (void)EraseFromSegments(old_log, end, targets);  // a damaged segment keeps ciphertext without a key
  }
  BOOST_OUTCOME_TRY(store->FinishErasures(pending.destroyed));
  BOOST_OUTCOME_TRY(store->FinishShreddings(pending.parts_destroyed));
  return store->Commit();
}

// The old key names the new one, where it is there; a key that was lost names nobody.
Result<void> NameSuccessor(const std::filesystem::path& log_folder, const KeysLayout& keys,
                           const std::filesystem::path& old_log_key, const VerifierKey& old_key,
                           const Override& statement) {
  certs::SecretBytes old_secret, new_secret;
  const auto old_public = LoadEd25519(old_log_key, old_secret);
  if (!old_public || old_public.value() != old_key.key) return Ok();
  BOOST_OUTCOME_TRY(const PublicKey new_public, LoadEd25519(keys.log_key(), new_secret));
  const Succession succession{old_key, Checkpoint{statement.origin, statement.size, statement.root},
                              VerifierKey{statement.new_origin, new_public}};
  BOOST_OUTCOME_TRY(MakeFolder(log_folder));
  return ReplaceFile(LogLayout(log_folder).predecessor(), MakeSuccession(succession, old_secret, new_secret), true);
}

}  // namespace

std::string OverrideText(const Override& statement) {
  return std::string(kHeader) + "\nlog " + statement.origin + "\nsize " + std::to_string(statement.size) +
         "\nroot " + Base64(statement.root) + "\nnew-log " + statement.new_origin + "\nreason " +
         statement.reason + "\n";
}

Result<Override> ParseOverride(std::string_view text) {
  std::string_view line;
  if (!TakeLine(text, line) || line != kHeader) return Bad("unknown header");
  Override statement;
  BOOST_OUTCOME_TRY(statement.origin, Field(text, "log"));
  BOOST_OUTCOME_TRY(const std::string_view size, Field(text, "size"));
  BOOST_OUTCOME_TRY(statement.size, ParseDecimal(size));
  BOOST_OUTCOME_TRY(const std::string_view root, Field(text, "root"));
  BOOST_OUTCOME_TRY(statement.root, HashFromBase64(root));
  BOOST_OUTCOME_TRY(statement.new_origin, Field(text, "new-log"));
  BOOST_OUTCOME_TRY(statement.reason, Field(text, "reason"));
  if (!text.empty()) return Bad("text after the reason");
  if (!ValidOrigin(statement.new_origin)) return Bad("the new origin has a character outside its set");
  if (statement.new_origin == statement.origin) return Bad("the new log needs another origin");
  if (statement.reason.size() > kMaxReason) return Bad("the reason is longer than 1024 bytes");
  return statement;
}

Result<Override> PrepareOverride(const std::filesystem::path& log_folder, const std::string& new_origin,
                                 const std::string& reason) {
  BOOST_OUTCOME_TRY(const VerifierKey key, ReadLogKey(log_folder));
  const ScanResult scan = ScanLog(log_folder, key, {}, nullptr);
  return ParseOverride(OverrideText({key.name, scan.tree.size(), scan.tree.Root(), new_origin, reason}));
}

Result<std::string> SignOverride(std::string_view statement, const std::filesystem::path& officer_key) {
  const auto note = ParseNote(statement);
  const std::string text(note ? note.value().text : statement);
  BOOST_OUTCOME_TRY(ParseOverride(text));
  certs::SecretBytes secret;
  BOOST_OUTCOME_TRY(const PublicKey key, LoadEd25519(officer_key, secret));
  std::filesystem::path public_path = officer_key;
  public_path += ".pub";
  BOOST_OUTCOME_TRY(const VerifierKey officer, ReadVerifierKey(public_path));
  if (officer.key != key) return Error{Code::kKeys, "`" + public_path.string() + "` is not the public half"};
  if (!note) return SignNote(text, officer, secret);
  return std::string(statement) + SignatureLine(officer, SignEd25519(text, secret));
}

Result<std::filesystem::path> ApplyOverride(const std::filesystem::path& log_folder,
                                            const std::filesystem::path& keys_folder,
                                            std::string_view note_text) {
  const KeysLayout keys(keys_folder);
  BOOST_OUTCOME_TRY(const auto officers, ReadVerifierKeys(keys.officers()));
  BOOST_OUTCOME_TRY(const Note note, ParseNote(note_text));
  BOOST_OUTCOME_TRY(const Override statement, ParseOverride(note.text));
  std::set<PublicKey> signers;  // one who stands there twice, or under two names, is one
  std::string vouched = std::string(note.text) + "\n";  // what is recorded: no line of anybody else
  for (const VerifierKey& officer : officers) {
    BOOST_OUTCOME_TRY(const bool by, SignedBy(note, officer));
    if (!by || !signers.insert(officer.key).second) continue;
    const auto own = std::ranges::find_if(note.signatures, [&](const NoteSignature& one) {
      return one.name == officer.name && one.key_id == officer.Id();
    });
    vouched += std::string(own->line) + "\n";
  }
  if (signers.size() < kOfficersNeeded) {
    return Error{Code::kPermission, "override: " + std::to_string(signers.size()) + " of the officers in `" +
                                        keys.officers().string() + "` signed, two are needed"};
  }
  const std::string suffix = ".refused-" + Hex(OriginId(statement.origin)).substr(0, 8) + "-" +
                             std::to_string(statement.size);
  std::filesystem::path aside = log_folder;
  aside += suffix;
  // The old log goes behind its keys, and the new one's key comes last of all: where only the one that was set aside
  // has its key, an earlier call was cut off in between.
  std::error_code ignored;
  const bool again = !std::filesystem::exists(LogLayout(log_folder).public_key(), ignored) &&
                     std::filesystem::exists(LogLayout(aside).public_key(), ignored);
  const std::filesystem::path& old_log = again ? aside : log_folder;
  BOOST_OUTCOME_TRY(const Fd lock, LockFile(LogLayout(old_log).lock()));
  BOOST_OUTCOME_TRY(const Override found, PrepareOverride(old_log, statement.new_origin, statement.reason));
  if (found != statement) return Bad("the statement is not about the log as it is now; prepare it again");
  BOOST_OUTCOME_TRY(const VerifierKey old_key, ReadLogKey(old_log));
  auto auditors = LoadAuditors(keys_folder, old_key);
  if (!again) {
    if (!auditors) return auditors.error();
    for (const char* name : {"log.key", "signer.state", "witnessed"}) {
      auto moved = RenameAside(keys_folder / name, keys_folder / (name + suffix));
      if (!moved && moved.error().code != Code::kNotFound) return moved.error();
    }
    BOOST_OUTCOME_TRY(SyncFolder(keys_folder));
    BOOST_OUTCOME_TRY(RenameAside(log_folder, aside));
    BOOST_OUTCOME_TRY(SyncFolder(log_folder.parent_path()));
  }
  BOOST_OUTCOME_TRY(FinishErasures(keys_folder, aside));
  const certs::SecretBytes seed = certs::SecretBytes::Random(32);
  const auto made = certs::WriteKeyFile(keys.log_key(), "ed25519-seed", seed.bytes());
  if (!made && !(again && made.error().code == certs::Code::kExists)) return FromCerts(made.error());
  // After a cut-off call they may carry the new key's signature already.
  if (auditors) {
    BOOST_OUTCOME_TRY(InstallAuditors(keys_folder, statement.new_origin, auditors.value().policy));
  }
  BOOST_OUTCOME_TRY(ReplaceFile(keys.override_note(), vouched, true));
  BOOST_OUTCOME_TRY(NameSuccessor(log_folder, keys, keys_folder / ("log.key" + suffix), old_key, statement));
  BOOST_OUTCOME_TRY(BeginLog(log_folder, keys_folder, statement.new_origin));
  return aside;
}

}  // namespace portcullis::audit
