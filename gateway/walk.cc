#include "gateway/walk.h"

namespace portcullis::gateway {

boost::asio::awaitable<void> Walk(Exchange& exchange, Services& services) {
  Call call = Accept(exchange, services);  // the listener has accepted and finished TLS

  auto known = FindCall(call);
  if (!known) co_return co_await Refuse(call, known.error());
  if (call.route->access == Access::kOpen) co_return co_await AnswerHealth(call);

  auto who = Identify(call);
  if (!who) co_return co_await Refuse(call, who.error());

  auto ticket = co_await Admit(call, who.value());
  if (!ticket) co_return co_await Refuse(call, ticket.error());

  auto found = Classify(call);
  if (!found) co_return co_await Refuse(call, found.error());

  auto decision = Decide(call, who.value(), found.value());
  if (!decision) co_return co_await Refuse(call, decision.error());

  auto place = co_await Enter(call, who.value(), decision.value());
  if (!place) co_return co_await Refuse(call, place.error());

  auto permit = co_await Record(call, who.value(), found.value(), decision.value());
  if (!permit) co_return co_await Refuse(call, permit.error());

  auto answer = co_await Infer(call, who.value(), decision.value(), std::move(permit.value()));
  if (!answer) {
    ticket.value().Settle(call.prompt_tokens, 0);  // what an engine has read for nothing
    co_return co_await Refuse(call, answer.error());
  }

  auto done = co_await Respond(call, ticket.value(), std::move(answer.value()));
  if (!done) co_return co_await Refuse(call, done.error());
}

}  // namespace portcullis::gateway
