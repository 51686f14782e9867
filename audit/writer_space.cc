// The room on the log's disk. Below the watermark and on a full disk, records of requests are refused; what
// UsesReserve() names is written on, in the end out of a file that was set aside for it (reserve.h), which is
// filled again when there is room. STOP has a file of its own. While that of the acts is not whole, requests
// stay refused: the room that was given back is not for them.

#include <algorithm>

#include "audit/layout.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

// Beside the records of a batch: the key store's journal, a new segment, the signer's state, the checkpoint.
constexpr uint64_t kRoomForActs = 256 << 10;
constexpr uint64_t kRoomForHeartbeat = 16 << 10;
constexpr uint64_t kLeftFree = 48 << 10;  // besides the reserve, when it takes back what was not needed

}  // namespace

uint64_t Writer::SizeOf(const std::vector<Event>& events) {
  uint64_t size = 0;
  for (const Event& event : events) {
    size += 512;
    for (const Part& part : event.parts) size += part.bytes.size();
  }
  return size;
}

uint64_t Writer::NeededFor(const std::vector<Job>& jobs) {
  if (jobs.empty()) return kRoomForHeartbeat;
  uint64_t bytes = kRoomForActs;
  for (const Job& job : jobs) bytes += job.bytes;
  return bytes;
}

Result<void> Writer::CheckSpace() {
  TakeBackRoom();
  BOOST_OUTCOME_TRY(const DiskSpace space, appender_.Space());
  const bool low = space.free < options_.min_free_bytes ||
                   space.free < space.total / 100 * options_.min_free_percent || acts_reserve_.missing() > 0;
  if (low != disk_was_low_) {
    Say(low ? "the log's disk is nearly full: requests are refused, acts of administrators are recorded while the reserve lasts"
            : "the log's disk has space again");
  }
  disk_was_low_ = low;
  if (!low) return Ok();
  return Error{Code::kDiskLow, "the audit log's disk is nearly full (" + std::to_string(space.free) +
                                   " bytes free); make room, appends resume by themselves"};
}

// An append goes as a whole: one record of another kind, and it is none for the reserve.
void Writer::RefuseRequests(std::vector<Job>& jobs, const Error& error) {
  std::erase_if(jobs, [&](Job& job) {
    const auto& events = job.append.events;
    const bool kept = std::all_of(events.begin(), events.end(), [](const Event& event) { return UsesReserve(event.kind); });
    if (!kept) Refuse(job, error);
    return !kept;
  });
}

// So many bytes free, with what must be drawn from the reserve for it.
Result<void> Writer::MakeRoom(uint64_t bytes) {
  BOOST_OUTCOME_TRY(const DiskSpace space, appender_.Space());
  if (space.free >= bytes) return Ok();
  return acts_reserve_.Draw(bytes - space.free);
}

// What was drawn and not needed must not be anybody else's for longer than a turn.
void Writer::TakeBackRoom() {
  if (acts_reserve_.missing() == 0) return;
  const auto space = appender_.Space();
  if (space && space.value().free > kLeftFree) (void)acts_reserve_.Fill(space.value().free - kLeftFree);
}

Result<void> Writer::MakeRoomForActs() { return MakeRoom(kRoomForActs); }

// What is asked for is more than most records are, and a crash may have left many requests open: where there is not so
// much, all that there is may do. A start that it surely does not do for is refused, and nothing is drawn.
Result<void> Writer::MakeRoomForBoot(const std::vector<Event>& events) {
  if (MakeRoom(SizeOf(events) + kRoomForActs)) return Ok();
  BOOST_OUTCOME_TRY(const DiskSpace space, appender_.Space());
  const uint64_t least = events.size() * (kFrameHeader + kLeafSize), most = space.free + acts_reserve_.left();
  if (most < least) {
    return Error{Code::kDiskLow, "this start writes " + std::to_string(events.size()) + " records, which take more than " +
                                     std::to_string(least) + " bytes of the audit log's disk; with the reserve there are " +
                                     std::to_string(most) + "; make room"};
  }
  (void)acts_reserve_.Draw(acts_reserve_.left());
  return Ok();
}

// SQLite keeps the pages that a transaction changes in a journal, which may become as large as the key store. The keys
// folder may be on a disk of its own: that one is asked, and the reserve helps where it is the log's.
Result<void> Writer::MakeRoomForRekey(uint64_t other_records) {
  const std::filesystem::path store = KeyStorePath(options_.keys_folder);
  std::error_code error;
  const uint64_t needed = std::filesystem::file_size(store, error) + kRoomForActs + other_records;
  const auto free = [&] { return error ? 0 : std::filesystem::space(options_.keys_folder, error).available; };
  if (free() < needed && OnOneDisk(options_.keys_folder, options_.log_folder)) (void)MakeRoom(needed);
  const uint64_t room = free();
  if (error) return Error{Code::kIo, "cannot examine `" + store.string() + "`: " + error.message()};
  if (room < needed) {
    return Error{Code::kDiskLow, "re-encrypting the key store takes up to " + std::to_string(needed) + " bytes of its disk, " +
                                     std::to_string(room) + " are free; make room"};
  }
  return MakeRoom(kRoomForActs + other_records);
}

void Writer::UpdateStatus() {
  const auto space = appender_.Space();
  const std::lock_guard guard(mutex_);
  status_.writable = !disk_was_low_ && !disk_full_;
  status_.why_not = disk_was_low_ || disk_full_ ? "the audit log's disk is nearly full" : "";
  status_.origin = options_.origin;
  status_.log_size = appender_.size();
  status_.checkpoint_size = signer_.size();
  status_.checkpoint_us = note_us_;
  if (space) {
    status_.disk_free = space.value().free;
    status_.disk_total = space.value().total;
  }
}

}  // namespace portcullis::audit
