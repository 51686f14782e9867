// One request, from the first byte to the last record: START READING HERE.
//
//   accept → TLS → identify → admit → classify → decide → record → infer → respond → record
//
// Each step is a function in the folder of its name (step.cc) and returns what the next one needs:
// an Identity, a Ticket, a ScanResult, a Decision, an AuditPermit. Those types have no public
// constructor, so a step cannot be left out by mistake. No exit goes around Refuse.
// Threading: a call lives on the core that accepted its connection; Services are borrowed.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/event.h"
#include "gateway/admit/admitter.h"
#include "gateway/admit/penalties.h"
#include "gateway/admit/queue.h"
#include "gateway/classify/chat_request.h"
#include "gateway/classify/prompt_scan.h"
#include "gateway/config.h"
#include "gateway/decide/decider.h"
#include "gateway/decide/policy_keeper.h"
#include "gateway/identify/identifier.h"
#include "gateway/infer/site_directory.h"
#include "gateway/infer/upstream.h"
#include "gateway/listen/exchange.h"
#include "gateway/observe/gateway_metrics.h"
#include "gateway/observe/request_log.h"
#include "gateway/record/recorder.h"
#include "gateway/record/refusal_summary.h"
#include "gateway/respond/chat_answer.h"
#include "gateway/route.h"

namespace portcullis::gateway {

// What the steps work with. All of it outlives every call.
struct Services {
  boost::asio::io_context& core;  // of this core
  Recorder& recorder;             // of this core
  UpstreamClient& upstream;       // of this core
  const Config& config;
  const Clock& clock;
  const Identifier& identifier;
  Admitter& admitter;
  Penalties& penalties;
  FairQueue& queue;
  const policy::DetectorSet& detectors;
  const Decider& decider;
  PolicyKeeper& policy;
  SiteDirectory& sites;
  Store& store;
  const KeyHasher& hasher;
  RefusalSummary& refusals;
  GatewayMetrics& metrics;
  RequestLog& log;
};

// What is known about the call so far; every step adds to it.
struct Call {
  Call(Exchange& e, Services& s) : exchange(e), services(s) {}

  Exchange& exchange;
  Services& services;
  audit::Id id{};
  std::string id_text;  // "req_" + hexadecimal
  int64_t started_ns = 0;
  Listener listener = kApi;
  const Route* route = nullptr;
  std::string argument;         // what stood for {id} or {name} in the path
  std::string body;             // as received
  std::optional<ChatCall> chat;
  boost::json::value document;  // the body of an administrator's call
  RateHeaders rates;
  std::string subject;          // once identified; for logs and records
  std::string revision;         // once decided
  std::string receipt;          // once recorded
  uint16_t retention_days = 0;  // of what is recorded; 0: no limit
  std::string jurisdiction;     // whose auditors may read it; empty: those of all
  uint64_t request_seq = 0;     // of the REQ record; 0: none yet
  uint64_t act_seq = 0;         // of the ADMIN record that allowed an act; 0: none
  Treatment treatment = Treatment::kRefused;
  RecordLevel record_level = RecordLevel::kSealed;
  ScanResult found;
  uint64_t completion_tokens = 0;
  uint64_t prompt_tokens = 0;   // counted; estimated where an engine worked and did not say
  std::vector<audit::Part> delivered;  // of an answer that broke off, for its ABORT record
};

// An answer on its way: the engine's stream, or a document made here.
struct Answer {
  std::unique_ptr<UpstreamStream> stream;
  boost::json::object document;
  std::string text;  // instead of a document, when not empty: Prometheus metrics
  uint64_t prompt_tokens = 0;  // of an engine's document
};

// The steps, in order.
Call Accept(Exchange& exchange, Services& services);
Result<void> FindCall(Call& call);
Result<Identity> Identify(Call& call);
Result<void> RefusePenalised(const Call& call);  // kPenalized for a source that has to wait
boost::asio::awaitable<Result<Ticket>> Admit(Call& call, const Identity& who);
Result<ScanResult> Classify(Call& call);
Result<Decision> Decide(Call& call, const Identity& who, const ScanResult& found);
boost::asio::awaitable<Result<std::optional<Slot>>> Enter(Call& call, const Identity& who,
                                                          const Decision& decision);
boost::asio::awaitable<Result<AuditPermit>> Record(Call& call, const Identity& who,
                                                   const ScanResult& found,
                                                   const Decision& decision);
boost::asio::awaitable<Result<Answer>> Infer(Call& call, const Identity& who,
                                             const Decision& decision, AuditPermit permit);
// Writes the RESP record before the last byte leaves.
boost::asio::awaitable<Result<void>> Respond(Call& call, Ticket& ticket, Answer answer);

// The only way out for an error: answers, counts, penalises, closes the record.
boost::asio::awaitable<void> Refuse(Call& call, Error error);
boost::asio::awaitable<void> AnswerHealth(Call& call);

// The handler of every listener. Never throws because of anything a peer sent.
boost::asio::awaitable<void> Walk(Exchange& exchange, Services& services);

}  // namespace portcullis::gateway
