// The only way out for an error. It answers in OpenAI's form, closes an open record, counts, and
// makes strangers who knock wrongly wait. Answers to strangers are cheap and all alike.
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/record/events.h"
#include "gateway/respond/headers.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

namespace {

boost::json::object ErrorJson(const Error& error) {
  const CodeInfo& info = Info(error.code);
  boost::json::object body{{"message", error.message},
                           {"type", info.type},
                           {"param", error.param.empty() ? boost::json::value(nullptr)
                                                         : boost::json::value(error.param)},
                           {"code", info.name}};
  return {{"error", std::move(body)}};
}

void Penalise(const Call& call, Code code) {
  const Peer& peer = call.exchange.peer();
  if (peer.kind != Peer::Kind::kTls) return;
  if (code == Code::kUnauthenticated) {
    call.services.metrics.identify_failures.Add();
    call.services.penalties.Add(peer.address, Misdeed::kAuthFailure);
  } else if (!call.exchange.head() && code == Code::kBadRequest) {
    call.services.penalties.Add(peer.address, Misdeed::kHardError);
  } else if (code == Code::kPenalized) {
    call.services.metrics.penalized.Add();
  }
}

}  // namespace

asio::awaitable<void> Refuse(Call& call, Error error) {
  const bool stranger = call.subject.empty();
  if (stranger) {
    Penalise(call, error.code);
    if (!call.services.admitter.AdmitUnauthenticated()) call.exchange.CloseAfter();
  }
  if (call.request_seq > 0) {
    std::vector<audit::Event> events;
    events.push_back(AbortEvent(call, error));
    // An end that the log does not take now is sent again; one that is lost with auditd is told at its start.
    (void)co_await call.services.recorder.Note(std::move(events));
  } else if (call.act_seq > 0) {
    std::vector<audit::Event> events;
    events.push_back(RefusedActEvent(call, error));
    (void)co_await call.services.recorder.Note(std::move(events));
  } else if (error.code != Code::kForbidden) {
    call.services.refusals.Count(error.code, !stranger);
  }
  const CodeInfo& info = Info(error.code);
  Finished(call, error.code, info.http_status, "");
  if (error.code == Code::kPeerGone) co_return;

  const std::string body = boost::json::serialize(ErrorJson(error));
  if (call.exchange.response_started()) {
    const std::string event = "data: " + body + "\n\n";
    auto written = co_await call.exchange.Write(event);
    if (written) (void)co_await call.exchange.EndStream();
    co_return;
  }
  http::ResponseHead head = MakeHead(call, info.http_status, error.retry_after_ms);
  head.fields.push_back({"content-type", "application/json"});
  if (!info.retry_useful) head.fields.push_back({"x-should-retry", "false"});
  if (info.http_status == 401) head.fields.push_back({"www-authenticate", "Bearer"});
  (void)co_await call.exchange.Respond(std::move(head), body);
}

asio::awaitable<void> AnswerHealth(Call& call) {
  const bool ready = call.route->operation == Operation::kHealth || call.services.sites.Load()->AnyUp();
  if (!call.services.admitter.AdmitUnauthenticated()) {
    // GCC 12 destroys a braced temporary among the arguments of a co_await twice: give it a name.
    Error busy{Code::kRateLimited, "too many requests", "", 1000};
    co_return co_await Refuse(call, std::move(busy));
  }
  http::ResponseHead head = MakeHead(call, ready ? 200 : 503);
  head.fields.push_back({"content-type", "application/json"});
  const std::string body = ready ? R"({"status":"ok"})" : R"({"status":"unavailable"})";
  (void)co_await call.exchange.Respond(std::move(head), body);
}

}  // namespace portcullis::gateway
