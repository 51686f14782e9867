#include "audit/daykey.h"

#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include "audit/file.h"
#include "audit/signer.h"
#include "certs/keyfile.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kPrefix = "day-";
constexpr std::string_view kSuffix = ".key";
constexpr std::string_view kListHeader = "portcullis audit days v2";

Result<void> DestroyOthers(const std::filesystem::path& keys_folder, const std::string& kept) {
  std::vector<std::filesystem::path> old;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(keys_folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name != kept && name.starts_with(kPrefix) && name.ends_with(kSuffix)) old.push_back(entry->path());
  }
  if (error) return ErrnoError("cannot list", keys_folder, error.value());
  for (const auto& path : old) {
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size <= 4096) {
      BOOST_OUTCOME_TRY(OverwriteFile(path, static_cast<size_t>(size)));
    }
    if (::unlink(path.c_str()) != 0) return ErrnoError("cannot destroy the key of a past day", path, errno);
  }
  if (!old.empty()) return SyncFolder(keys_folder);
  return Ok();
}

}  // namespace

std::string DayName(uint32_t day) {
  const std::time_t seconds = static_cast<std::time_t>(day) * 86'400;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts));
}

Result<DayKey> TakeDayKey(const std::filesystem::path& keys_folder, uint32_t day) {
  const std::string name = std::string(kPrefix) + DayName(day) + std::string(kSuffix);
  const std::filesystem::path path = keys_folder / name;
  DayKey key;
  key.day = day;
  auto loaded = LoadEd25519(path, key.secret);
  if (!loaded && loaded.error().code == Code::kNotFound) {
    const certs::SecretBytes seed = certs::SecretBytes::Random(32);
    // Whole under its name or not there: a start that is cut off here must not stop the next one.
    const std::filesystem::path fresh = keys_folder / (std::string(kPrefix) + "new" + std::string(kSuffix));
    ::unlink(fresh.c_str());
    if (auto made = certs::WriteKeyFile(fresh, "ed25519-seed", seed.bytes()); !made) {
      return FromCerts(made.error());
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) return ErrnoError("cannot put in place", path, errno);
    BOOST_OUTCOME_TRY(SyncFolder(keys_folder));
    loaded = LoadEd25519(path, key.secret);
  }
  if (!loaded) return loaded.error();
  key.key = loaded.value();
  BOOST_OUTCOME_TRY(DestroyOthers(keys_folder, name));
  return key;
}

bool DayList::Holds(uint32_t day, const PublicKey& key) const {
  const auto [begin, end] = keys.equal_range(DayName(day));
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second == key) return true;
  }
  return false;
}

std::string DayListText(const std::string& origin, const DayList& list) {
  std::string text = origin + "\n" + std::string(kListHeader) + "\n";
  for (const auto& [day, key] : list.keys) text += day + " " + Base64(key) + "\n";
  return text;
}

Result<DayList> OpenDayList(std::string_view note, const VerifierKey& log_key) {
  const auto bad = [](const char* why) { return Error{Code::kTampered, std::string("list of days: ") + why}; };
  BOOST_OUTCOME_TRY(const Note parsed, ParseNote(note));
  BOOST_OUTCOME_TRY(const bool by_log, SignedBy(parsed, log_key));
  if (!by_log) return bad("not signed by the log key");
  std::string_view rest = parsed.text, line;
  if (!TakeLine(rest, line) || line != log_key.name) return bad("it belongs to another log");
  if (!TakeLine(rest, line) || line != kListHeader) return bad("unknown header");
  DayList list;
  while (TakeLine(rest, line)) {
    if (line.size() < 12 || line[10] != ' ') return bad("a line is malformed");
    const auto key = HashFromBase64(line.substr(11));
    if (!key) return bad("a key is malformed");
    list.keys.emplace(line.substr(0, 10), key.value());
  }
  return list;
}

}  // namespace portcullis::audit
