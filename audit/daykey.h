// The key of the day: an Ed25519 key that signs the day's batches, receipts and (beside the stable log
// key) checkpoints, and is destroyed when the day is over, so that nobody who takes the machine later
// can sign for an earlier day. The log key endorses each one, in the segment headers and in the signed
// list `days`. DAY KEYS in FORMAT.md. One thread (the writer's).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "audit/error.h"
#include "audit/note.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct DayKey {
  uint32_t day = 0;  // days since 1970, UTC
  PublicKey key{};
  certs::SecretBytes secret;
};

// The key of `day` from the keys folder, made where there is none. The keys of other days are
// overwritten and unlinked.
Result<DayKey> TakeDayKey(const std::filesystem::path& keys_folder, uint32_t day);

std::string DayName(uint32_t day);  // "2026-11-22"

inline constexpr size_t kMaxListedDays = 1000;  // the newest; a note is at most 64 KiB

// The list `days`: what the log key signed, by day and key.
struct DayList {
  std::multimap<std::string, PublicKey> keys;

  bool Holds(uint32_t day, const PublicKey& key) const;
};
std::string DayListText(const std::string& origin, const DayList& list);
Result<DayList> OpenDayList(std::string_view note, const VerifierKey& log_key);

}  // namespace portcullis::audit
