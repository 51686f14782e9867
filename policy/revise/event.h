// One change of the revision store: what happened, to which revision, who says so. Events form a
// chain: each holds the hash of the one before, and the appliance's key signs every hash. The list
// of events is the truth; the state of revisions is what follows from it (state.h). A row that was
// changed, left out or put in by hand breaks the chain. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/revise/statement.h"

namespace portcullis::policy::revise {

// DO NOT CHANGE THESE VALUES: they are part of every event on disk.
enum class EventKind : uint8_t {
  kSeed = 1,  // revision 1 of an empty store, in force without approval
  kDraft = 2,
  kEdit = 3,   // new content: voids checks, proposal and approvals
  kCheck = 4,  // parsed, validated, tests passed
  kPropose = 5,
  kApprove = 6,
  kActivate = 7,  // in force, on probation
  kKeep = 8,
  kRollback = 9,
  kWithdraw = 10,
};
std::string_view NameOf(EventKind kind);  // "approve"
std::optional<EventKind> EventKindFromNumber(uint64_t number);

inline constexpr std::string_view kAppliance = "appliance";  // as an actor

struct Event {
  uint64_t seq = 0;  // from 1 without gaps
  int64_t time = 0;  // seconds since 1970 (UTC)
  EventKind kind = EventKind::kSeed;
  uint64_t revision = 0;
  Hash content{};
  std::string actor;                         // an officer, or kAppliance
  int64_t until = 0;                         // kApprove: expiry; kActivate: end of probation
  std::string detail;                        // words: why rolled back, what the check covered
  std::optional<SignedStatement> statement;  // of the officer, where the act needs one
  Hash previous{};                           // hash of the event before; zeros for the first
};

std::string Encode(const Event& event);
Result<Event> DecodeEvent(std::string_view document);

// As stored.
struct SealedEvent {
  Event event;
  Hash hash{};  // of the document
  Signature signature{};
};
SealedEvent Seal(Event event, const Signer& appliance);

// The store's name in statements: the first 32 digits of the hash of its first event.
std::string StoreId(const Hash& first);

}  // namespace portcullis::policy::revise
