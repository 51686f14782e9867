// The audit events of a call: which fact goes into which field of audit/event.h. Content goes into
// parts of its own (prompt, answer, reasoning, tools), so that each can be sealed, released and
// erased alone; metadata holds no content. Pure functions.
#pragma once

#include "audit/event.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

// Whose auditors may read the records of this caller: those of his home, as policy decides by it;
// empty where no auditor could be named for it.
std::string RecordJurisdiction(const Identity& who, const Config& config);

audit::Event RequestEvent(const Call& call, const Identity& who, const Decision& decision);
audit::Event DecisionEvent(const Call& call, const Identity& who, const ScanResult& found,
                           const Decision& decision);
// What the caller has been given so far, where it is to be recorded.
std::vector<audit::Part> AnswerParts(const ChatAnswer& answer, RecordLevel level);
audit::Event ResponseEvent(const Call& call, const ChatAnswer* answer, RecordLevel level);
// With what was delivered before the end: leaving early must not keep an answer out of the log.
audit::Event AbortEvent(const Call& call, const Error& error);
audit::Event AdminEvent(const Call& call, const Identity& who, const Decision& decision);
// An act that its role allowed and the gateway then refused.
audit::Event RefusedActEvent(const Call& call, const Error& error);

// The 403 of a decision: ids of the policies, their advice, the way to ask about it.
Error PolicyRefusal(const Decision& decision, const std::string& request_id);

}  // namespace portcullis::gateway
