// Step "respond", and the last "record": the answer goes to the caller through the output filter,
// and its end only when the RESP record is durable.
#include <boost/json/serialize.hpp>

#include "gateway/record/events.h"
#include "gateway/respond/headers.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

namespace {

// Counts a running stream, cancels its engine when the client leaves, settles the ticket at its end.
class Stream {
 public:
  Stream(Call& call, Ticket& ticket, ChatAnswer& answer, UpstreamStream& upstream)
      : call_(call), ticket_(ticket), answer_(answer) {
    ticket_.Forwarded();
    call_.services.metrics.active_streams.Add(1);
    call_.exchange.OnPeerGone([&upstream] { upstream.Cancel(); });
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    call_.exchange.OnPeerGone({});
    call_.services.metrics.active_streams.Add(-1);
    Settle();
  }

  void Settle() {
    const TokenUsage& usage = answer_.usage();
    call_.prompt_tokens = usage.known ? usage.prompt : call_.chat->prompt_estimate;
    call_.completion_tokens = answer_.completion_so_far();
    ticket_.Settle(call_.prompt_tokens, call_.completion_tokens);
  }

 private:
  Call& call_;
  Ticket& ticket_;
  ChatAnswer& answer_;
};

std::string Events(const std::vector<std::string>& chunks) {
  std::string out;
  for (const std::string& chunk : chunks) out += "data: " + chunk + "\n\n";
  return out;
}

Result<ChatAnswer> MakeAnswer(const Call& call) {
  auto policy = policy::RedactionPolicy::Of(call.services.config.redact_output);
  if (!policy) return Error{Code::kFilterFailed, "the output filter could not be set up"};
  AnswerOptions options;
  options.text = call.chat->kind == CallKind::kText;
  options.id = (options.text ? "cmpl-" : "chatcmpl-") + call.id_text.substr(4);
  options.model = call.chat->model;
  options.created = call.services.clock.UnixSeconds();
  options.choices = call.chat->choices;
  options.include_usage = call.chat->include_usage;
  options.logprobs = call.chat->logprobs;
  return ChatAnswer(std::move(options), call.services.detectors, std::move(policy.value()));
}

asio::awaitable<Result<void>> Send(Call& call, const std::vector<std::string>& chunks) {
  if (!call.chat->stream || chunks.empty()) co_return boost::outcome_v2::success();
  const std::string events = Events(chunks);
  co_return co_await call.exchange.Write(events);
}

// From the first chunk to the engine's [DONE].
asio::awaitable<Result<void>> Pump(Call& call, ChatAnswer& answer, UpstreamStream& upstream) {
  if (call.chat->stream) {
    auto started = co_await call.exchange.StartStream(MakeHead(call, 200));
    if (!started) co_return started.error();
  }
  const std::vector<std::string> head = answer.Head();
  auto sent = co_await Send(call, head);
  if (!sent) co_return sent.error();
  bool first = true;
  while (true) {
    auto event = co_await upstream.Next();
    if (call.exchange.peer_gone()) co_return Error{Code::kPeerGone, "the client left"};
    if (!event) co_return event.error();
    if (!event.value()) break;
    if (event.value()->empty()) {
      if (!call.chat->stream) continue;
      auto alive = co_await call.exchange.Write(": keep-alive\n\n");
      if (!alive) co_return alive.error();
      continue;
    }
    auto chunks = answer.Feed(*event.value());
    if (!chunks) co_return chunks.error();
    if (first && !chunks.value().empty()) {
      first = false;
      call.services.metrics.first_token_seconds.ObserveNs(call.services.clock.MonotonicNs() -
                                                          call.started_ns);
    }
    sent = co_await Send(call, chunks.value());
    if (!sent) co_return sent.error();
  }
  auto rest = answer.Finish();
  if (!rest) co_return rest.error();
  co_return co_await Send(call, rest.value());
}

asio::awaitable<Result<void>> NoteResponse(Call& call, const ChatAnswer* answer) {
  std::vector<audit::Event> events;
  events.push_back(ResponseEvent(call, answer, call.record_level));
  const int64_t asked_ns = call.services.clock.MonotonicNs();
  auto noted = co_await call.services.recorder.Note(std::move(events));
  call.services.metrics.audit_seconds.ObserveNs(call.services.clock.MonotonicNs() - asked_ns);
  if (!noted) co_return noted.error();
  call.request_seq = 0;  // closed
  co_return boost::outcome_v2::success();
}

asio::awaitable<Result<void>> RespondChat(Call& call, Ticket& ticket, UpstreamStream& upstream) {
  auto made = MakeAnswer(call);
  if (!made) co_return made.error();
  ChatAnswer& answer = made.value();
  {
    Stream stream(call, ticket, answer, upstream);
    auto pumped = co_await Pump(call, answer, upstream);
    if (!pumped) {
      call.delivered = AnswerParts(answer, call.record_level);
      co_return pumped.error();
    }
  }
  const uint64_t seq = call.request_seq;
  auto noted = co_await NoteResponse(call, &answer);
  if (!noted) {
    call.delivered = AnswerParts(answer, call.record_level);
    co_return noted.error();
  }
  const std::string finish_reason = answer.FinishReason();
  if (call.chat->stream) {
    const std::string tail = Events(answer.Tail());
    auto written = co_await call.exchange.Write(tail);
    if (written) (void)co_await call.exchange.EndStream();
  } else {
    http::ResponseHead head = MakeHead(call, 200);
    head.fields.push_back({"content-type", "application/json"});
    const std::string body = boost::json::serialize(answer.Whole());
    (void)co_await call.exchange.Respond(std::move(head), body);
  }
  call.request_seq = seq;
  Finished(call, Code::kOk, 200, finish_reason);
  co_return boost::outcome_v2::success();
}

}  // namespace

asio::awaitable<Result<void>> Respond(Call& call, Ticket& ticket, Answer answer) {
  if (answer.stream) co_return co_await RespondChat(call, ticket, *answer.stream);
  if (call.chat) {  // answered whole by the engine
    ticket.Forwarded();
    call.prompt_tokens = answer.prompt_tokens;
    ticket.Settle(call.prompt_tokens, 0);
  }
  if (call.request_seq > 0) {
    auto noted = co_await NoteResponse(call, nullptr);
    if (!noted) co_return noted.error();
  }
  http::ResponseHead head = MakeHead(call, 200);
  head.fields.push_back(
      {"content-type", answer.text.empty() ? "application/json" : "text/plain; version=0.0.4"});
  const std::string body =
      answer.text.empty() ? boost::json::serialize(answer.document) : std::move(answer.text);
  (void)co_await call.exchange.Respond(std::move(head), body);
  Finished(call, Code::kOk, 200, "");
  co_return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
