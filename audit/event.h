// What the appliance reports to the audit log: one Event becomes one record. Plain data, no logic.
// Kind and PartType are on-disk values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::audit {

using Hash = std::array<uint8_t, 32>;
using Id = std::array<uint8_t, 16>;
using Tag = std::array<uint8_t, 16>;

// DO NOT CHANGE THESE ENUM VALUES: they are part of every record on disk and of its hash.
enum class Kind : uint8_t {
  kReq = 1,         // a request was identified and is about to be decided
  kDecision = 2,    // parent: the REQ. What policy said, with its facts as metadata
  kResp = 3,        // parent: the REQ. Closes it. outcome: HTTP status
  kAbort = 4,       // parent: the REQ. Closes it without an answer
  kAdmin = 5,       // an administrator's act
  kConfig = 6,      // configuration put in force
  kKey = 7,         // written by auditd: the wrapped chain key that later records refer to
  kRelease = 8,     // written by auditd: subject keys were released to an auditor
  kAuditRead = 9,   // an auditor read records
  kErase = 10,      // written by auditd; outcome: EraseOutcome
  kHold = 11,       // written by auditd; outcome: HoldOutcome
  kHeartbeat = 12,  // written by auditd; outcome: the interval in seconds
  kBoot = 13,       // written by auditd; outcome: the heartbeat interval in seconds
  kStop = 14,       // written by auditd: an orderly end
  kClock = 15,      // written by auditd: the wall clock was set or its synchronisation changed
  kRecovery = 16,   // written by auditd: unclean end found at start. outcome 1: a torn tail was cut,
                    // 2: two officers overrode a refused start
  kAbuse = 17,
  kSiege = 18,
};
std::string_view KindName(Kind kind);  // "REQ"
std::optional<Kind> KindFromNumber(uint8_t number);
std::optional<Kind> KindFromName(std::string_view name);
// Kinds that only auditd itself may write.
bool IsInternal(Kind kind);
// Kinds that are written out of the reserve where the disk is full: what an administrator does about it, and
// what auditd says of the log itself. Not requests, and nothing of callers.
bool UsesReserve(Kind kind);

// DO NOT CHANGE THESE ENUM VALUES: outcomes of ERASE and HOLD records.
enum class EraseOutcome : uint16_t { kBegun = 1, kDone = 2, kRefusedByHold = 3, kExpired = 4 };
// An ERASE of one part has the outcome kShredBase + PartType, and the record as its parent.
inline constexpr uint16_t kShredBase = 16;
// An ERASE of the tag key of a year has that year, from this one on, as its outcome.
inline constexpr uint16_t kFirstYear = 1970;
enum class HoldOutcome : uint16_t { kPlaced = 1, kLifted = 2 };

// DO NOT CHANGE THESE ENUM VALUES: they are part of every record on disk.
enum class PartType : uint8_t {
  kMetadata = 1,  // JSON
  kPrompt = 2,
  kAnswer = 3,
  kReasoning = 4,
  kTools = 5,
  kDecision = 6,  // JSON
  kWrapSet = 64,  // only in KEY records, not encrypted again (FORMAT.md)
};
std::string_view PartName(PartType type);
std::optional<PartType> PartFromNumber(uint8_t number);
std::optional<PartType> PartFromName(std::string_view name);
// Of an ERASE record's outcome: the part that it says is shredded.
std::optional<PartType> ShreddedPart(uint16_t outcome);

// Of an ERASE record's outcome: the year whose tag key it says is destroyed.
std::optional<uint32_t> DestroyedYear(uint16_t outcome);

struct Part {
  PartType type = PartType::kMetadata;
  std::string bytes;
};

// parent_seq of the second and later events of one append: the seq given to its first event.
inline constexpr uint64_t kParentFirst = UINT64_MAX;
inline constexpr uint64_t kNoParent = 0;  // seq 0 is the log's own first BOOT

struct Event {
  Kind kind = Kind::kAdmin;
  Id request_id{};
  uint64_t parent_seq = kNoParent;
  std::string subject;           // who; on disk only as a keyed tag, and it chooses the key chain
  std::string tenant;            // on disk only as a keyed tag
  Hash policy_hash{}, model_hash{};
  uint16_t outcome = 0;          // RESP, ABORT: HTTP status. DECISION: 1 allowed, 2 refused, 3 treated
  uint16_t retention_days = 0;   // the content's key is destroyed after so many days; 0: kept
  std::string jurisdiction;      // whose auditors may read, like "DE"; empty: those of all (auditors.h)
  std::vector<std::string> tags; // at most 4 search terms; on disk only as keyed tags
  std::vector<Part> parts;       // at most one of each type
  // Of ERASE, HOLD and RELEASE, set by auditd only: whom the act is about, and which keys.
  std::vector<Tag> about;
  uint16_t about_period = 0;
};

}  // namespace portcullis::audit
