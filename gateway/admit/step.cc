// Step "admit": reads the call's body within its route's limit, learns what it may cost, and takes
// that from the caller's rates and budgets. A malformed call counts as a request too.
#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "gateway/classify/text_request.h"
#include "gateway/http/json_reader.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

namespace {

// Every byte of a body is parsed and scanned, also where no engine will see it. JSON escapes make
// at most six bytes of one.
constexpr uint64_t kBytesPerToken = 6;

Result<void> CheckMediaType(const http::RequestHead& head) {
  const auto type = head.Get("content-type");
  if (!type) return boost::outcome_v2::success();
  std::string_view media = type->substr(0, type->find(';'));
  while (media.ends_with(' ') || media.ends_with('\t')) media.remove_suffix(1);
  if (boost::algorithm::iequals(media, "application/json")) return boost::outcome_v2::success();
  return Error{Code::kUnsupportedMedia, "content-type must be application/json"};
}

Result<void> ReadCall(Call& call) {
  BOOST_OUTCOME_TRY(CheckMediaType(call.exchange.head().value()));
  http::JsonLimits limits;
  limits.bytes = call.route->body_limit;
  BOOST_OUTCOME_TRY(auto document, http::ReadJson(call.body, limits));
  const Operation operation = call.route->operation;
  if (!IsModelCall(operation)) {
    call.document = std::move(document);
    return boost::outcome_v2::success();
  }
  ChatLimits chat;
  chat.max_tokens_default = call.services.config.limits.max_tokens_default;
  chat.max_tokens_limit = call.services.config.limits.max_tokens_limit;
  if (operation == Operation::kChat) {
    BOOST_OUTCOME_TRY(call.chat, ParseChat(document, chat));
  } else if (operation == Operation::kText) {
    BOOST_OUTCOME_TRY(call.chat, ParseText(document, chat));
  } else {
    BOOST_OUTCOME_TRY(call.chat, ParseEmbedding(document, chat));
  }
  return boost::outcome_v2::success();
}

}  // namespace

asio::awaitable<Result<Ticket>> Admit(Call& call, const Identity& who) {
  Result<void> read = boost::outcome_v2::success();
  const bool takes_body = call.route->body_limit > 0 && call.exchange.head().value().has_body();
  const bool needs_body = IsModelCall(call.route->operation) ||
                          call.route->operation == Operation::kKeyIssue ||
                          call.route->operation == Operation::kPrincipalPut;
  if (takes_body || needs_body) {
    auto body = co_await call.exchange.ReadBody(call.route->body_limit);
    if (!body) co_return body.error();
    call.body = std::move(body.value());
    read = ReadCall(call);
  }
  CallCost cost;
  cost.stream = call.chat.has_value();
  if (call.chat) {
    cost.prompt_tokens =
        std::max<uint64_t>(call.chat->prompt_estimate, call.body.size() / kBytesPerToken);
    cost.max_tokens = uint64_t{call.chat->max_tokens} * call.chat->choices;
  }
  auto ticket = call.services.admitter.Admit(who, cost, &call.rates);
  if (ticket && !read) co_return read.error();
  co_return ticket;
}

asio::awaitable<Result<std::optional<Slot>>> Enter(Call& call, const Identity& who,
                                                   const Decision& decision) {
  std::optional<Slot> slot;
  if (!call.chat || !decision.allowed()) co_return slot;
  const auto& limits = call.services.config.limits;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(limits.queue_limit_ms);
  const uint64_t cost =
      call.chat->prompt_estimate + uint64_t{call.chat->max_tokens} * call.chat->choices;
  const Error gone{Code::kPeerGone, "the client left while the call was waiting"};
  // Checked before there is a callback, which would be called after `leave` is gone.
  if (call.exchange.peer_gone()) co_return gone;
  asio::cancellation_signal leave;
  call.exchange.OnPeerGone([&leave] { leave.emit(asio::cancellation_type::terminal); });
  const int64_t queued_ns = call.services.clock.MonotonicNs();
  auto entered = co_await call.services.queue.Enter(who.tenant().id, who.tenant().weight, cost,
                                                    deadline, leave.slot());
  call.services.metrics.queue_seconds.ObserveNs(call.services.clock.MonotonicNs() - queued_ns);
  call.exchange.OnPeerGone({});
  if (!entered) co_return entered.error();
  if (call.exchange.peer_gone()) co_return gone;
  slot.emplace(std::move(entered.value()));
  co_return slot;
}

}  // namespace portcullis::gateway
